//! Words in a value: a passphrase is told from a sentence, and what a person chose from what names a thing.
//!
//! Passphrases are words that have nothing to do with each other. A sentence has words that bind it (`the`, `your`, `der`, `de`), a
//! label says what it asks for (`password`, `wachtwoord`), and a name of a thing says of what kind it is (`config`, `server`): each of
//! these gives a text away, in whichever language.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::scan::Confidence;

/// How sure it is that words with a blank between them are a passphrase, if they may be one.
///
/// `correct horse battery staple`, and with fewer or other words, digits or capitals less so: those are what sentences have.
pub fn phrase(value: &[u8]) -> Option<Confidence> {
    let words: Vec<&[u8]> = value.split(|byte| *byte == b' ').collect();
    let is_word = |word: &&[u8]| {
        let letters = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let small = word.iter().skip(1).take(letters.max(1) - 1).all(u8::is_ascii_lowercase);
        let rest = &word[letters..];
        letters >= 3
            && small
            && rest.len() <= 3
            && rest.iter().all(|byte| byte.is_ascii_digit() || b"!?$#%&*".contains(byte))
            || letters == 0 && (1..=4).contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
    };
    if !(3..=10).contains(&words.len()) || !words.iter().all(is_word) || words.iter().any(|word| binds(word)) {
        return None;
    }
    let small = words.iter().all(|word| word.iter().all(u8::is_ascii_lowercase) && word.len() <= 10);
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let distinct: HashSet<&&[u8]> = words.iter().collect();
    match words.len() {
        _ if distinct.len() < words.len() => None,
        4.. if small => Some(Confidence::Medium),
        3 if small => Some(Confidence::Low),
        _ => has_digit.then_some(Confidence::Low),
    }
}

/// Whether words without a blank are those that a person chose for a password: `otter_violin_42`, `maple-trumpet-quartz`, and in
/// one, `walnutferry`. None of them says what the value is of.
pub fn is_chosen(value: &[u8]) -> bool {
    let joins = |byte: &u8| b"-_.".contains(byte);
    let parts: Vec<&[u8]> = value.split(joins).collect();
    let is_part = |part: &&[u8]| {
        let letters = part.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        letters >= 4 && part.len() - letters <= 4 && part[letters..].iter().all(u8::is_ascii_digit)
            || letters == 0 && (2..=4).contains(&part.len()) && part.iter().all(u8::is_ascii_digit)
    };
    let words = parts.iter().filter(|part| part.first().is_some_and(u8::is_ascii_lowercase)).count();
    // Three digits at the end are a person's: then one word of several may say something.
    let ends_in_digits = words > 1 && parts.last().is_some_and(|part| part.len() == 3 && part[0].is_ascii_digit());
    let binding = parts.iter().filter(|part| binds(part)).count();
    if !parts.iter().all(is_part) || binding > if ends_in_digits { words / 2 } else { 0 } || is_label(value) {
        return false;
    }
    match words {
        0 => false,
        1 => parts.len() == 1 && value.iter().all(u8::is_ascii_lowercase) && (10..=24).contains(&value.len()),
        _ => true,
    }
}

/// Whether a value says what is asked for instead of giving it: `Neues_Passwort`, `wachtwoord vergeten`.
pub fn is_label(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    LABELS.iter().any(|label| memchr::memmem::find(&lower, label.as_bytes()).is_some())
        && !value
            .iter()
            .any(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation() && !b"-_.:?!*,'".contains(byte))
}

/// Whether a word is one that binds a sentence, or says what a thing is.
fn binds(word: &[u8]) -> bool {
    let letters: Vec<u8> = word.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect();
    let singular = letters.strip_suffix(b"s").unwrap_or(&letters);
    BINDING.contains(letters.as_slice()) || BINDING.contains(singular) || is_label(&letters)
}

/// What passwords are called, where it is no whole name: on labels, in any case.
const LABELS: &[&str] = &[
    "adgangskode",
    "clave",
    "contrase",
    "credential",
    "geheim",
    "hasla",
    "haslo",
    "heslo",
    "jelszo",
    "kennwort",
    "kodeord",
    "kodeordet",
    "losenord",
    "lozinka",
    "motdepasse",
    "mot-de-passe",
    "mot_de_passe",
    "paswoord",
    "parola",
    "parool",
    "passcode",
    "passord",
    "passphrase",
    "passwor",
    "salasana",
    "schluessel",
    "senha",
    "sifre",
    "slaptazodis",
    "wachtwoord",
];

/// Words that bind a sentence, in the languages of most labels; words of forms and messages; words that name a thing of computers.
static BINDING: LazyLock<HashSet<&'static [u8]>> = LazyLock::new(|| {
    const WORDS: &str = "
        a about above after again all already also although always an and another any are as at back be because been before being below
        between both but by came can cannot come could did do does doing done dont down during each either else enough even every few first
        for found from further get given go goes going good had has have having he her here him his how however i if in instead into is it
        its itself just keep kept last least left less like made make many may maybe me mean might more most much must my need neither never
        new no nor not nothing now of off often old on once one only or other our out over own per please put rather same say see seen set
        shall she should show simply since so some still such take than that the their them then there these they thing this those though
        through to together too two under unless until up upon us use used user using very via want was way we well were what when where
        whether which while who whole whom whose why will with within without would yes yet you your yours
        aber alle als am an auch auf aus bei bitte das dem den der des die dies diese durch ein eine einen einer eingeben er erneut es falsch
        fehlt fur fuer gegen hat ich ihr ihre im ist kein keine leer man mit muss nach neu neue neues nicht noch nur oder ohne ung sein sich
        sie sind sowie um und uns unter vergessen vom von vor wenn werden wie wieder wird wurde zu zum zur zwischen
        au aux avec ce ces cette dans de des du elle en entrez est et il incorrect invalide la le les leur mais mot mots ne nos notre nous
        nouveau nouvelle oublie ou par pas passe plus pour que qui sa sans saisir ses si son sont sur un une veuillez vos votre vous
        bij deze dit een en geen geldig gebruik het hun je jouw kan maar met mijn moet naar niet nieuw nieuwe of om ongeldig ook op te tot
        uit uw van vergeten voer voor was wat worden wordt zijn
        al como con del el ella ellos en es esta este favor la las lo los mas muy nueva nuevo o para pero por que se ser si sin su sus tu
        una uno y actual anterior confirmar introduzca olvidada olvidado requerida
        ai che chi come da dal dalla della delle di dimenticata gli il inserisci lo nel nella non nuova per piu sono tra tua tuo
        ao com da das de do dos e em esqueceu nao nas no nos nova novo os ou para pela pelo por sua suas um uma
        accept action active address admin alert allow answer attempt authenticate authentication available bad blank cancel case change
        character characters choose click close code column comment confirm confirmation contain correct create current default delete
        description different digit disable disabled double dialog email empty enable enabled enter entry error example expire expired fail
        failed field fill find forgot forgotten form generate hello help hidden hide hint in incorrect info input insert invalid key label
        length letter level line link list login logon long longer lost lower lowercase mail match maximum message minimum minutes missing
        mode name none note notice number open optional option or password phone pick placeholder present previous prompt protect protected
        provide random read recover remember remove repeat replace request require required reset resend retype retry save search secret
        security select send short sign signin signup special start status step store strength string strong submit success successful text
        time title toggle token try twice type unknown unset update updated upper uppercase url valid validate value verify view visible
        wait warning weak welcome write wrong zero
        access account agent api app application apply apps argument array attribute auth authority aws azure backend base bash basic
        binary block boolean bootstrap usage signing branch bucket buffer build builder byte cache call canary cert certificate chain channel chart check class
        client cloud cluster cmd command commit common compose config configmap configuration connect connection console container content
        context control controller cookie copy core count cron custom daemon data database database date db debug decode decrypt deploy
        deployment dev develop development device dir directory disk dns docker document domain download driver dummy dynamic edge
        element encode encrypt encrypted encryption end endpoint engine entity env environment event exec execute export ext external fake
        feature file filter fixture flag float folder format frontend function gateway generated generic git github gitlab global grafana
        group handler hash header host hostname html http https id identifier identity ignore image import index init insecure instance int
        integer integration interface internal issue item job json keycloak keystore kube kubernetes label lib library load loader local
        localhost location lock log logger main manage manager map master metadata method metrics migrate migration minio mock model
        module mongo mongodb monitor monitoring multi mysql namespace nats network nginx node null object oauth operator origin output
        package page parameter parent parse parser password patch path pattern payload peer permission ping pipeline plain plaintext plugin
        policy pool port postgres postgresql prefix primary private prod production profile project prometheus property protocol provider
        proxy public publish pull push python query queue rabbitmq raw redis ref reference region registry release remote repo repository
        resource response rest result role rollback root route router rule run runner runtime sample sandbox scan schema scheme scope
        script sealed secure server service session setting setup shared shell simple size snapshot socket source space spec sql ssh ssl
        stage staging standard state static storage stream sudo suffix super superuser support sync syntax system table tag target task team
        template temp temporary tenant terraform test tester testing tests thread timeout tls tool trace traefik true false type undefined
        unit unsecure upload username util utils variable vault vector version virtual volume web webhook website widget window worker
        workflow world writer yaml zone";
    WORDS.split_ascii_whitespace().map(str::as_bytes).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_a_bond_are_a_passphrase() {
        for text in ["marble otter canyon velvet", "plum tractor ocean seven harvest"] {
            assert_eq!(phrase(text.as_bytes()), Some(Confidence::Medium), "{text}");
        }
        for text in ["marble otter canyon", "Marble otter 42 canyon", "Marble Otter Canyon7!"] {
            assert_eq!(phrase(text.as_bytes()), Some(Confidence::Low), "{text}");
        }
        for text in [
            "Enter your password",
            "Forgot password?",
            "enter the old password again",
            "neues passwort erneut eingeben",
            "mot de passe oublie",
            "nieuw wachtwoord herhalen",
            "kubernetes secret holding credentials",
            "marble  otter canyon velvet",
            "marble otter",
            "marble marble marble marble",
            "Marble Otter Canyon",
            "minimum eight characters long",
            "x = y + z",
        ] {
            assert_eq!(phrase(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn chosen_words_are_told_from_names_of_things() {
        for text in ["otter_violin_42", "otter_engine_421", "maple-trumpet-quartz", "maple.trumpet", "walnutferry"] {
            assert!(is_chosen(text.as_bytes()), "{text}");
        }
        for text in [
            "on_create",
            "postgres-credentials",
            "my-app-secret",
            "walnut",
            "PasswordField",
            "neuespasswort",
            "admin_user_1",
            "otter_1",
            "a-b-c",
            "release-2024",
            "usage-bootstrap-signing",
            "test_user_123",
        ] {
            assert!(!is_chosen(text.as_bytes()), "{text}");
        }
        assert!(
            is_label(b"Neues_Passwort") && is_label(b"Wachtwoord:") && !is_label(b"otter") && !is_label(b"Passwort7x")
        );
    }
}
