const apiToken = "«dcb4d1ce46aa9bb0021b6b4ae7d5328058927a61»"
var dbPassword string = "«Gh!7ttRq»"
password := "«violet$Harbor8»"
cfg := Config{Secret: "«TbXa1x3A01Nc4iuOCys6P755o5YwPudl»", Port: 80}
os.Setenv("STRIPE_SECRET", "«PnIUKdoREKSB4FJsDEFMqMywrWB6rb1a»")
req.Header.Set("Authorization", "Bearer «KvDlQxgmUpRNTj3Zg2_2crD97K-3LNV2kuovN_NS»")
key := []byte("«tb82CGZhjLbIYrUp1Y0xKrUpQ03ZJchH»")
encryptionKey := []byte("«8XZc20WWdxptfqZvVuHqPDqpeEUGUPQP»")
dsn := "host=db1 user=ada password=«n0tTh4tOne?» sslmode=disable"
viper.SetDefault("auth.token", "«5SeEuBbwZCTaWVNLkQYDODW9MZ2aMoBJ»")
	var jwtKey = []byte(`«bSYtOk2sbeS3rFGrAb7bexOCXzghD8qw»`)
	req.SetBasicAuth("ada", "«Ok4pi.Stampede»")
	"password": []byte("«blue42Lantern»"),
