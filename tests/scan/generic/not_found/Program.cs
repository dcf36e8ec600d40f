string password = Configuration["Db:Password"];
private const string ApiKeyHeader = "X-Api-Key";
var client = new Client { ClientSecret = options.ClientSecret };
"Server=db1;Database=app;Trusted_Connection=True;"
request.Headers.Add("X-Api-Key", apiKey);
$password = Read-Host "Password" -AsSecureString
[Required(ErrorMessage = "Password is required")]
public string PasswordHash { get; set; }
CancellationToken cancellationToken = default
byte[] aesKey = new byte[] { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };
