val apiKey = BuildConfig.API_KEY
const val CLIENT_SECRET_KEY: String = "client_secret"
signingConfig { storePassword = System.getenv("STORE_PASSWORD") }
keyPassword keystoreProperties['keyPassword']
buildConfigField("String", "API_KEY", apiKey)
val password: String by lazy { prompt() }
