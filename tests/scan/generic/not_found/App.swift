let apiKey = Bundle.main.infoDictionary?["API_KEY"]
static let clientSecretKey: String = "com.acme.client-secret"
let password: String? = nil
request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
NSString *secretKey = [[NSUserDefaults standardUserDefaults] stringForKey:@"secretKey"];
