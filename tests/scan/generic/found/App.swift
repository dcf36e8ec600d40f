let apiKey = "«YKK8uumPBBnguv7XBtr-abnW0xZrv7joL4CNgsw»"
static let clientSecret: String = "«GfeIBIJAbH8ayOKqNkaUwgKmwrkd4yrCTaYnSJRa»"
let password: String? = "«Ember-Isle-404»"
NSString *secretKey = @"«UhSRKtCZdUYiidZ1wxKc7OIVJwhBArBe»";
