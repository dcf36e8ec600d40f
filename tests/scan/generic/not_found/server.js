const apiKey = process.env.API_KEY;
const password = req.body.password;
let authToken = `${prefix}-${suffix}`;
const jwtSecret = config.get("jwt.secret");
const sessionSecret = crypto.randomBytes(32).toString("hex");
module.exports = { clientSecret: clientSecretProvider, port: 3000 };
app.use(session({ secret: secretFromVault }));
accessToken: refreshTokenService,
axios.defaults.headers["X-Auth-Token"] = token;
localStorage.setItem("access_token", response.access_token);
const keyboardLayout = "qwertz-de-DE-macintosh";
if (e.key === "ArrowDown") return next();
const s = "{\"password\": \"\", \"user\": \"ada\"}";
const integrityKey = "sha512-dhLjEariMzq5zZvWFFQ/c0WIpLae9S2GvNk+uDWvIese+vhqzibfTGlIaB/FfGpW5XVZBtYDuPBXWEtbO8gfIXu=";
const passwordLabel = "Enter your password";
const labels = { password: 'Please enter a new password', passphrase: "Choose words that nobody guesses", token: "Access token" };
const de = { password: 'Passwort', newPassword: 'Neues Passwort eingeben', forgotPassword: 'Passwort vergessen?' };
const fr = { password: 'Mot de passe', passwordForgotten: 'Mot de passe oublié ?', newPassword: 'nouveau mot de passe' };
const nl = { password: 'Wachtwoord', newPassword: 'Nieuw_wachtwoord', passwordRepeat: 'herhaal het nieuwe wachtwoord' };
