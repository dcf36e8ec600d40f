val apiKey = "«VkjkzVJAyhZsOs6sZi9bxBjB7d6mvWr2»"
const val CLIENT_SECRET: String = "«Jjvvcrb3ltlS1YG7ZVR1NzJDJdmbXrCsT1WQ1aGe»"
signingConfig { storePassword = "«Yx7$kLm9@t»" }
keyPassword '«T0pHat&Tails»'
buildConfigField("String", "API_KEY", "\"«rbq7NvhjvEE7aZ5kRM8FZp9Dt1aNLcE1QV9LsWV»\"")
