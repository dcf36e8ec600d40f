string password = "«blue42Lantern»";
private const string ApiKey = @"«fiLPzrYYMqkMjoZhlEEl30G4IYYV9dju»";
var client = new Client { ClientSecret = "«xieTuVZiho1OtaPANTyrcwaBk2UXXaQ82CE7Q-tN»" };
"Server=db1;Database=app;Uid=ada;Pwd=«Rabbit+Hole19»;"
request.Headers.Add("X-Api-Key", "«2529b5e3638d294f4a701cabcf46e33b»");
$password = ConvertTo-SecureString "«7dwarves&1Queen»" -AsPlainText -Force
byte[] aesKey = new byte[] { ‹0xd4, 0x1b, 0x7e, 0x92, 0xc8, 0x35, 0xaf, 0x60, 0x0d, 0x53, 0xe6, 0x2c, 0x98, 0x71, 0xbb, 0x4f› };
