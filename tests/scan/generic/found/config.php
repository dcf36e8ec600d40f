define('DB_PASSWORD', '«z3bra_Crossing9»');
define( 'AUTH_KEY',  '«ALkuIRQCdexbhO5C^HDneYqy@NrbssVNI@VnOXa#SFJktbcceDNOgcL1jZ8VIs#C»' );
define('NONCE_SALT', '«H61SsQOAx3^SG%hF1MSeFQ@ZRId2nQx2JlnVzh0KpHDA!Da~v0cyzAzjHg%AcLWv»');
$password = '«Gh!7ttRq»';
$config['api_key'] = "«0d06b36760d5ed1aa4f87a43012b93f5»";
'secret' => '«Ews0VE6v198UDFZtCirKcEk3463Dqku0»',
'password' => env('DB_PASSWORD', '«violet$Harbor8»'),
$this->token = "«b81de2e3bb4ec59deb40fe1aca9eb365146eacfa»";
