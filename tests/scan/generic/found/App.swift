let apiKey = "«IvUfSEkpZeW8cwEswHUpSlDqcnlmKpSjJt15WZA»"
static let clientSecret: String = "«CAi6P0u8IJT6yFrmtM21hvE376xg2NHPJ8YVBU1n»"
let password: String? = "«violet$Harbor8»"
NSString *secretKey = @"«0TOBKGWvU1jh1RNe4iVg2yVgiTJWLh0m»";
