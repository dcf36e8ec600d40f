string password = "«51lverBirch»";
private const string ApiKey = @"«NLP8vYviF3rpOTWuHVj6TgHac0ewXsgF»";
var client = new Client { ClientSecret = "«x8TL9R6_N4rIf9u6HvPSGh26j6pUTs4XvM37Vsb_»" };
"Server=db1;Database=app;Uid=ada;Pwd=«m00nl1t/Path»;"
request.Headers.Add("X-Api-Key", "«e1aca9eb365146eacfaa9b010d80f4c6»");
$password = ConvertTo-SecureString "«Yx7$kLm9@t»" -AsPlainText -Force
