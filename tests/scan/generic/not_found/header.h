#define MAX_PASS 16
#define PASS_LABEL "Enter your password"
char auth[] = "";
#define AUTH_KEY AUTH_KEY_DEFAULT
