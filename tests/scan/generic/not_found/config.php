define('DB_PASSWORD', getenv('DB_PASSWORD'));
define( 'AUTH_KEY',  'put your unique phrase here' );
define('NONCE_LIFE', '86400');
$password = $_POST['password'];
$config['api_key'] = $settings->apiKey;
'secret' => $secret,
'password' => env('DB_PASSWORD', ''),
$this->token = $token;
'password' => 'required|string|min:8|confirmed',
'password.required' => 'The password field is required.',
