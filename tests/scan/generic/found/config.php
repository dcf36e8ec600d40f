define('DB_PASSWORD', '«fr0gs-4-breakfast»');
define( 'AUTH_KEY',  '«YA@@5iThxlDcDYexi%^*s7YEcrj7Z~bEKV%vl8yWDMuelvywBuPo!3hUvuDDoCn6»' );
define('NONCE_SALT', '«Cr*eks2ZLg5DmrtDCCPrQRm0V#OaVRhO^0Iw3Af%Rh7pd@876NM0D5nl3Pvfe9zM»');
$password = '«Pelican.Brief.93»';
$config['api_key'] = "«9f254804e40e6c2fca8b47f7a0e4d4b6»";
'secret' => '«9oUi067beb3DwCY1z0ZxgfL414AErEmR»',
'password' => env('DB_PASSWORD', '«Dr1ft_Wood»'),
$this->token = "«98b448204b6e17633772b0616755580f401d7735»";
