const apiToken = "«e15af710bed1c6f65e53874b6bd17ede649155e8»"
var dbPassword string = "«T0pHat&Tails»"
password := "«Ember-Isle-404»"
cfg := Config{Secret: "«spyxdvLwahfR9gs6KIx1ATdrd17oREBu»", Port: 80}
os.Setenv("STRIPE_SECRET", "«AZWZTCsHPyy2tUPlkUrf7ukYjwgVD8Ir»")
req.Header.Set("Authorization", "Bearer «7kJLUw-cNQeDvUjS93FxCJCxF0N_9QRGbAJmCRIk»")
key := []byte("«0QCcaNyWuJ72zkyJuJZfEWGQwVxpgOUU»")
encryptionKey := []byte("«YwWph9W51rTqOJSrw5l6ax2zvAyM8wiA»")
dsn := "host=db1 user=ada password=«Sn0wGoose22» sslmode=disable"
viper.SetDefault("auth.token", "«cyCL4VinLu9ZWvtVxwbaf0cKxmwiPKWv»")
