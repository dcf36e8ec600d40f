config.secret_key_base = '«048a38e54b95d13203c2dc40b647caaaa6427de3fe316f8f3b4492e3c0d69258aa701501ae78731c4694044b98b3ac0fb7824000179a109d2cfb84f78edb4aa6»'
password = ENV.fetch("DB_PASSWORD", "«Ju5tAnother1»")
:password => "«G1ngerbread~Fox»",
api_key: "«lBVHw4qG6XWN8dpSAtwcTPpv9I4PzZUO»",
token ||= '«a80d3a5d823b61d93876f705d06666281609c50d»'
Stripe.api_key = "«anKVxT3hLmZOoSKmbB8RkYC8AKKd7NR0»"
