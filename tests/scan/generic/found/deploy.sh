export TOKEN=«9muGDVfxwTPMOTLiPAwavAsQlqoczPUqQcs3SsO8»
PGPASSWORD=«Ok4pi.Stampede» psql -h db1 -U ada
mysql -u root --password=«blue42Lantern» app
vault login --token «GlHWM3uaIat2yZvHsOKpfN5nLxbS»
curl -H "X-Api-Key: «ea85be66ce141f8ba492d93775b0eb53»" https://api.acme.test
curl -H 'Authorization: Token «44dbbbde38487202ae1049e8f88542341336be5d»' https://api.acme.test
DB_PASS='«Rabbit+Hole19»'
docker login --username ada --password «7dwarves&1Queen» registry.acme.test
helm upgrade app ./chart --set auth.password=«C0pperKettle»
readonly API_SECRET="«7TrbMU90nkQE6NoGvbcJF2WBF9sLuimK»"
setx NPM_TOKEN «e670eec9abf8cd964f47d1ba9b79c14b96b5»
curl "https://api.acme.test/v1?api_key=«a0f1236ac4cc027d0ffcc018d3e40b9d»&limit=10"
