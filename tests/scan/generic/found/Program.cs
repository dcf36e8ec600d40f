string password = "«blue42Lantern»";
private const string ApiKey = @"«fiLPzrYYMqkMjoZhlEEl30G4IYYV9dju»";
var client = new Client { ClientSecret = "«xieTuVZiho1OtaPANTyrcwaBk2UXXaQ82CE7Q-tN»" };
"Server=db1;Database=app;Uid=ada;Pwd=«Rabbit+Hole19»;"
request.Headers.Add("X-Api-Key", "«2529b5e3638d294f4a701cabcf46e33b»");
$password = ConvertTo-SecureString "«7dwarves&1Queen»" -AsPlainText -Force
