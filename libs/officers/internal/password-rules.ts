/** NIST SP 800-63B-4 section 3.1.1.2: length and a blocklist; no rules about kinds of characters. */
const SHORTEST = 12;

/** What has to be left of a password once all that a guesser tries first is taken out. */
const UNGUESSED = 5;

/** Parts of the passwords that lists of leaked ones begin with, and names that belong to this service. */
const COMMON = [
  'password passwort passwd parola senha contrasena motdepasse geheim secret welcome willkommen letmein login',
  'admin administrator root superuser master officer compliance velum facial recognition changeme default',
  'iloveyou loveyou princess sunshine football baseball basketball superman batman spiderman pokemon starwars',
  'dragon monkey shadow hunter michael jennifer jordan charlie thomas daniel ashley jessica computer internet',
  'qwertyuiop qwerty qwertz azerty asdfghjkl asdfgh asdf zxcvbnm zxcvbn zxcv 1q2w3e4r 1qaz2wsx qazwsx',
  'abcdefghijklmnopqrstuvwxyz abcdef abcd abc trustno whatever freedom google facebook samsung liverpool',
  'summer winter spring autumn january february march april august september october november december',
  'hello test temp guest user pass access company',
]
  .flatMap((line) => line.split(' '))
  .toSorted((a, b) => b.length - a.length);

const LOOKALIKES: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '0': 'o',
  $: 's',
  '5': 's',
  '!': 'i',
};

/** As it is hashed: the same text typed on another keyboard is the same password. */
export function normalisePassword(password: string): string {
  return password.normalize('NFKC');
}

export function isGuessable(password: string, email: string): boolean {
  const text = normalisePassword(password).toLowerCase();
  if ([...text].length < SHORTEST) return true;
  const plain = [...text].map((each) => LOOKALIKES[each] ?? each).join('');
  const [name = '', domain = ''] = email.normalize('NFKC').toLowerCase().split('@');
  const own = [name, domain, ...name.split(/[^\p{L}\p{N}]+/u), domain.split('.')[0] ?? ''].filter(
    (part) => part.length >= 3,
  );
  if (text.includes(`${name}@${domain}`) || (name.length >= 4 && text.includes(name))) return true;
  return [text, plain].some((each) => unguessed(each, own) < UNGUESSED);
}

/** How many different letters are left without common words, own names, digits and signs. */
function unguessed(text: string, own: readonly string[]): number {
  const rest = [...own, ...COMMON].reduce((left, word) => left.replaceAll(word, ' '), text);
  return new Set(rest.replaceAll(/[^\p{L}]/gu, '')).size;
}
