config.secret_key_base = '«a9b010d80f4c63eafa2368a9ce9b1f3a9d09f9f62a3199596634ba8a7cddc2b1615b6da043a302d7c74d9818b52ecba539c271494972ba15ab9b4481388bf6de»'
password = ENV.fetch("DB_PASSWORD", "«n0tTh4tOne?»")
:password => "«Ok4pi.Stampede»",
api_key: "«ABCkh3rJPHhE8NzWjGGJ68FRKRuUI8w0»",
token ||= '«826bd0e9cb4f87577733902b425f0066d66d86f2»'
Stripe.api_key = "«GrHvt5VzZgWGw2xh2DhWF8kV2TjbLLcR»"
default['db']['password']['postgres'] = '«W0ol-Mitten»'
CREDENTIALS = { :password "«Ferry!Lamp88»" }
