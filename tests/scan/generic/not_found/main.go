const apiTokenEnv = "BILLING_API_TOKEN"
var dbPassword string = os.Getenv("DB_PASSWORD")
password := strings.TrimSpace(string(raw))
cfg := Config{Secret: secretFromEnv, Port: 80}
os.Setenv("STRIPE_SECRET", stripeSecret)
req.Header.Set("Authorization", "Bearer "+token)
key := []byte("user-sessions-by-tenant")
encryptionKey := make([]byte, 32)
dsn := fmt.Sprintf("host=db1 user=ada password=%s sslmode=disable", pw)
viper.SetDefault("auth.token", "")
case token.ASSIGN: tok = "assignment-operator"
keyFunc := func(t *jwt.Token) (any, error) { return pub, nil }
	var jwtKey = []byte(os.Getenv("JWT_KEY"))
	req.SetBasicAuth("ada", password)
	"password": []byte(password),
