export TOKEN=$(vault read -field=token secret/ci)
PGPASSWORD=$DB_PASSWORD psql -h db1 -U ada
mysql -u root --password="$MYSQL_ROOT_PASSWORD" app
vault login --token-file /run/token
curl -H "X-Api-Key: $API_KEY" https://api.acme.test
curl -H "Authorization: Token ${TOKEN}" https://api.acme.test
read -s -p "Password: " DB_PASS
docker login --username ada --password-stdin registry.acme.test
helm upgrade app ./chart --set auth.existingSecret=app-auth
API_SECRET="`cat /run/secrets/api`"
ssh-keygen -t ed25519 -f key -N ""
curl "https://api.acme.test/v1?api_key=$KEY&limit=10"
if [ -z "$PASSWORD" ]; then echo "password missing"; fi
PASSWORD="${PASSWORD:-}"
: "${TOKEN:=$CI_JOB_TOKEN}"
kubectl create secret generic db --from-file=password=./password.txt
aws configure set aws_secret_access_key "$SECRET"
java -Dapp.password.file=/run/secrets/app2024 -jar app.jar
