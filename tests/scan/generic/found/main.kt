val apiKey = "«u3wzTEiXnHPR5ChhHw1PWnftawYlbEHH»"
const val CLIENT_SECRET: String = "«Mf5oxSZXfCuiSBgGvWf9JRCl6wb9esNCD9JqDUWt»"
signingConfig { storePassword = "«z3bra_Crossing9»" }
keyPassword '«Gh!7ttRq»'
buildConfigField("String", "API_KEY", "\"«cjD8qt_hVpaVjRyAfa1UyqPqfaO4e6hpXtr6r_u»\"")
