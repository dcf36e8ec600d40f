export TOKEN=«3nPUKUhjoMd0EMM4eRQsn3ZJyNyFGaTvHCljNznS»
PGPASSWORD=«Yx7$kLm9@t» psql -h db1 -U ada
mysql -u root --password=«T0pHat&Tails» app
vault login --token «I3ICNeUXwOSMdlfUS6QobozcleYG»
curl -H "X-Api-Key: «4ec7042ec079b52f6c7951256565a3fd»" https://api.acme.test
curl -H 'Authorization: Token «1b5577373e74124dc91e7344777a4aa3dbfa0ba1»' https://api.acme.test
DB_PASS='«Ember-Isle-404»'
docker login --username ada --password «Sn0wGoose22» registry.acme.test
helm upgrade app ./chart --set auth.password=«oakLeaf!3»
readonly API_SECRET="«u5IHSArlUVLB2ncMGvdDhKb9IREW44RD»"
setx NPM_TOKEN «e99d7e32da511f699f254804e40e6c2fca8b»
curl "https://api.acme.test/v1?api_key=«47f7a0e4d4b674020ebecb32df8f698b»&limit=10"
PASSWORD="${PASSWORD:-«Tr4velling-Gnome!»}"
: "${TOKEN:=«iiLqS2eaUjHwm2Dc795UonKMgh8pJp2f»}"
kubectl create secret generic db --from-literal=password=«kX9#mPq2vL»
aws configure set aws_secret_access_key «xXIPaKNmd9Nm7oHkMl1lS0raYRGFGjGaXKcBWTp1»
java -Dapp.password=«winter2019Berlin» -jar app.jar
