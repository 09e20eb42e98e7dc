//! What is read and what is refused, as tables; the test kit, and properties against an oracle, are below.

mod conformance;
mod oracle;
mod properties;

use weir_domain::{AttributeValue, Event};

use super::{
    Expression,
    value::{ErrorKind, Value},
};

fn parsed(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|fault| panic!("{}", fault.rendered(text)))
}

fn event() -> Event {
    Event::builder("1", "/s", "order.paid")
        .subject("order/7")
        .extension("amount", AttributeValue::Integer(700))
        .extension("flag", AttributeValue::Boolean(true))
        .extension("region", AttributeValue::String("eu"))
        .build()
        .expect("valid")
}

/// The value as a literal, and the error where there is one.
fn outcome(text: &str) -> String {
    let expression = parsed(text);
    let event = event();
    let outcome = expression.evaluate(&event);
    outcome.error.map_or_else(|| outcome.value.to_string(), |error| format!("{} {error}", outcome.value))
}

#[test]
fn what_the_test_kit_does_not_ask() {
    for (text, expected) in [
        // Strength, and from left to right.
        ("2 - 1 - 1", "0"),
        ("1-1", "0"),
        ("2 + 3 * 4 = 14", "TRUE"),
        ("1 = 1 = TRUE", "TRUE"),
        ("FALSE AND TRUE OR TRUE", "TRUE"),
        ("NOT flag LIKE 'fal%'", "TRUE"),
        ("- 2147483648 + 1", ""),
        ("-2147483648", "-2147483648"),
        ("--2147483648", "0 math"),
        ("2147483647 + 1", "0 math"),
        ("-2147483648 / -1", "0 math"),
        ("-2147483648 % -1", "0"),
        ("-7 / 2", "-3"),
        ("-7 % 2", "-1"),
        // The right side says to what the left one is cast.
        ("amount = '700'", "TRUE"),
        ("'+700' = amount", "TRUE"),
        ("amount = '+700'", "FALSE"),
        ("'TRUE' = flag", "TRUE"),
        ("flag = 'TRUE'", "FALSE"),
        ("subject = 5", "FALSE cast"),
        ("subject <> 'a'", "TRUE"),
        ("amount >= '700' AND '699' < amount", "TRUE"),
        ("flag > FALSE", "TRUE"),
        ("amount IN ('+700', 1)", "TRUE"),
        ("amount IN (700, 'a')", "FALSE cast"),
        ("amount NOT IN ('1', subject)", "FALSE cast"),
        ("missing NOT IN (1)", "FALSE missingAttribute"),
        ("missing NOT LIKE 'a'", "FALSE missingAttribute"),
        ("specversion = '1.0'", "TRUE"),
        ("amount", "700"),
        ("CONCAT(missing, 'a')", "'' missingAttribute"),
        // Functions.
        ("LENGTH('é😀')", "2"),
        ("right('aé😀', 2)", "'é😀'"),
        ("RIGHT('abc', 0)", "''"),
        ("Left('é', 2147483647)", "'é'"),
        ("SUBSTRING('aé😀b', 2, 2)", "'é😀'"),
        ("SUBSTRING('abc', -3)", "'abc'"),
        ("SUBSTRING('abc', 3, 0)", "''"),
        ("SUBSTRING('abc', 0, -1)", "'' functionEvaluation"),
        ("SUBSTRING('', 1)", "'' functionEvaluation"),
        ("SUBSTRING('abc', -2147483648)", "'' functionEvaluation"),
        ("TRIM(CONCAT('\u{2003}a\t', ' '))", "'a'"),
        ("UPPER(CONCAT_WS('-', subject, amount, flag))", "'ORDER/7-700-TRUE'"),
        ("LEFT(subject, 5)", "'order'"),
        ("INT('99999999999')", "0 cast"),
        ("NOPE(1 / 0)", "FALSE missingFunction"),
        ("LEFT('a')", "FALSE missingFunction"),
        // Patterns.
        ("'' LIKE '%'", "TRUE"),
        ("'é' LIKE '_'", "TRUE"),
        ("'aab' LIKE '%_b'", "TRUE"),
        ("'b' LIKE '%_b'", "FALSE"),
        ("'ab' LIKE 'ab%b'", "FALSE"),
        ("'xaybz' LIKE '%a_b%'", "TRUE"),
        (r"'a\' LIKE 'a'", ""),
        (r"'a\\' LIKE 'a\\'", "TRUE"),
    ] {
        if expected.is_empty() {
            assert!(Expression::parse(text).is_err(), "{text}");
        } else {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }
}

#[test]
fn the_canonical_form_is_one() {
    for (text, canonical) in [
        ("  a<>1\n", "a != 1"),
        ("((a)) and(b)", "a AND b"),
        ("a AND (b OR c)", "a AND (b OR c)"),
        ("(a AND b) OR c", "a AND b OR c"),
        ("(1 + 2) * 3 - (4 - 5)", "(1 + 2) * 3 - (4 - 5)"),
        ("not (a like \"x\" or exists B)", "NOT (a LIKE 'x' OR EXISTS b)"),
        ("NOT (a) NOT IN ( 1,'2' )", "NOT a NOT IN (1, '2')"),
        ("- 5 - +5", "-5 - 5"),
        ("-(a + 1)", "-(a + 1)"),
        (r#"'it\'s' = "\"""#, r#"'it\'s' = '"'"#),
        (r#""a\'b" = 'a\%b'"#, r#""a\'b" = 'a\%b'"#),
        ("Concat_Ws( ',' ) = nope()", "CONCAT_WS(',') = NOPE()"),
    ] {
        let expression = parsed(text);
        assert_eq!(expression.canonical(), canonical);
        assert_eq!(parsed(canonical), expression);
    }
}

#[test]
fn faults_are_told_at_their_place() {
    let long = format!("{} = = 1", "a".repeat(100));
    for (text, rendered) in [
        ("subject == 'a'", "found `==`: equal is written `=`\n1 | subject == 'a'\n  |         ^^"),
        ("a = ", "expected a value, and found the end\n1 | a =\n  |     ^"),
        ("'é' = = 1", "expected a value, and found `=`\n1 | 'é' = = 1\n  |       ^"),
        ("a = 1\n\t&& b", "found `&&`: write AND\n2 |  && b\n  |  ^^"),
        (
            "a = 1 adn b",
            "expected an operator or the end, and found `adn`: did you mean AND?\n1 | a = 1 adn b\n  |       ^^^",
        ),
        ("a = 'x", "a text begins here and does not end: close it with the same quote\n1 | a = 'x\n  |     ^^"),
        ("a LIKE b", "expected a text in quotes as the pattern of LIKE, and found `b`\n1 | a LIKE b\n  |        ^"),
        ("a IN ()", "the set is empty: name at least one value\n1 | a IN ()\n  |       ^"),
        ("a; b", "found `;`, which means nothing here: leave it out\n1 | a; b\n  |  ^"),
        (
            "a < 2147483648",
            "`2147483648` is no number of 32 bits: use one from -2147483648 to 2147483647\n\
             1 | a < 2147483648\n  |     ^^^^^^^^^^",
        ),
        ("(a", "expected `)`, or an operator, and found the end\n1 | (a\n  |   ^"),
        ("a)", "found `)`, and no `(` that it closes: leave it out\n1 | a)\n  |  ^"),
    ] {
        let fault = Expression::parse(text).expect_err(text);
        assert_eq!(fault.rendered(text), rendered);
    }
    let shown = Expression::parse(&long).expect_err("a fault").rendered(&long);
    assert!(shown.lines().all(|line| line.chars().count() < 130), "{shown}");
}

#[test]
fn what_fails_each_time_is_told_beforehand() {
    for (text, rendered) in [
        (
            "a = 1 OR\n  LENGHT(type) > 5",
            "`LENGHT` is no function: did you mean `LENGTH`?\n2 |   LENGHT(type) > 5\n  |   ^^^^^^",
        ),
        ("LEFT(id)", "`LEFT` does not take 1 arguments: write LEFT(text, count)\n1 | LEFT(id)\n  | ^^^^"),
        (
            "EXISTS Subject",
            "`Subject` is no attribute: did you mean `subject`?\n1 | EXISTS Subject\n  |        ^^^^^^^",
        ),
        (
            "data = 'a'",
            "`data` is no attribute: a filter sees the attributes of an event, and not its data\n\
             1 | data = 'a'\n  | ^^^^",
        ),
    ] {
        let rendered_of: Vec<_> = parsed(text).checks().iter().map(|fault| fault.rendered(text)).collect();
        assert_eq!(rendered_of, [rendered]);
    }
    for (text, never, always) in [
        ("1 = 2", Some("`1 = 2` is false for every event"), false),
        ("a = 'x' AND 1 / 0 = 1", Some("`1 / 0 = 1` fails for every event: a result is no number of 32 bits"), false),
        ("a OR FALSE", None, false),
        ("FALSE AND a OR 'x' = 'y'", Some("`FALSE AND a OR 'x' = 'y'` is false for every event"), false),
        ("'abc'", Some("`'abc'` is no Boolean for any event"), false),
        ("EXISTS id", None, true),
        ("TRUE OR a", None, true),
        ("a OR TRUE", None, false),
        ("EXISTS a OR TRUE", None, true),
    ] {
        let expression = parsed(text);
        assert_eq!(expression.never().as_deref(), never, "{text}");
        assert_eq!(expression.is_always_true(), always, "{text}");
    }
}

const FIVE: &str = "tenant = 't7' OR (subject LIKE 'order/%' AND amount > 250 * 2 AND region IN ('eu', 'us') \
                    AND NOT EXISTS flag)";

#[test]
fn a_program_is_short() {
    let listing = "  0  tenant = 't7'
  1  if true go to 14, else drop
  2  subject LIKE order/%
  3  if false go to 6, else drop
  4  amount > 500
  5  end of AND
  6  if false go to 9, else drop
  7  region IN ('eu', 'us')
  8  end of AND
  9  if false go to 13, else drop
 10  EXISTS flag
 11  NOT
 12  end of AND
 13  end of OR
";
    assert_eq!(parsed(FIVE).listing(), listing);
}

#[test]
fn an_answer_is_explained() {
    let explained = |text: &str| {
        let (holds, terms) = parsed(text).explain(&event());
        let terms = terms.iter().map(|term| format!("{} {} {}", term.text, term.outcome, term.decided));
        (holds, terms.collect::<Vec<_>>())
    };
    let terms = [
        "subject LIKE 'order/%' TRUE false",
        "amount > 250 * 2 TRUE false",
        "region IN ('eu', 'us') TRUE false",
        "EXISTS flag TRUE true",
    ];
    let (_, inner) = FIVE.split_once("OR ").expect("an OR");
    assert_eq!(explained(inner), (false, terms.map(str::to_owned).to_vec()));
    // An error ends all, and what came before it led there only where it would have ended elsewhere.
    assert_eq!(explained(FIVE), (false, vec!["tenant = 't7' error: missingAttribute true".to_owned()]));
    let failed = "tenant = 't7' error: missingAttribute true".to_owned();
    assert_eq!(explained("flag AND tenant = 't7'"), (false, vec!["flag TRUE false".to_owned(), failed.clone()]));
    assert_eq!(explained("id = '2' OR tenant = 't7'"), (false, vec!["id = '2' FALSE true".to_owned(), failed]));
    let (_, terms) = parsed("subject = type").explain(&event());
    let seen =
        [("subject", "order/7"), ("type", "order.paid")].map(|(name, text)| (name.to_owned(), Some(text.to_owned())));
    assert_eq!(terms[0].seen, seen);
}

#[test]
fn hostile_texts_are_refused_soon() {
    let many = |text: &str| text.repeat(100_000);
    let some = |text: &str| text.repeat(8 * 1024 / text.len());
    for text in [
        many("("),
        many("NOT "),
        many("-"),
        many("a AND "),
        some("("),
        some("NOT "),
        some("-"),
        some("- "),
        some("LENGTH("),
        some("a IN ("),
        some("1+"),
        some("a AND "),
        some("a="),
        some("'"),
        some("\\"),
        format!("{}1{}", "(".repeat(65), ")".repeat(65)),
        format!("1{}", " + 1".repeat(256)),
        format!("a{}", " LIKE 'x'".repeat(256)),
        format!("a IN (1{})", ",1".repeat(256)),
    ] {
        let fault = Expression::parse(&text).expect_err("it is too much, or not complete");
        assert!(fault.rendered(&text).len() < 1000, "{fault}");
    }
    for text in [
        format!("{}TRUE{}", "(".repeat(64), ")".repeat(64)),
        format!("{}TRUE", "NOT ".repeat(64)),
        format!("1{}", " + 1".repeat(255)),
        format!("{}a", "a AND ".repeat(255)),
        format!("a IN (1{})", ",1".repeat(254)),
        format!("CONCAT({}1)", "1,".repeat(254)),
    ] {
        let expression = parsed(&text);
        assert_eq!(parsed(expression.canonical()), expression);
        let event = event();
        assert_eq!(expression.evaluate(&event).holds(), expression.explain(&event).0);
    }
    // Patterns do not go back over what they have found.
    let pattern = parsed(&format!("subject LIKE '{}b'", "a%".repeat(2000)));
    let subject = "a".repeat(60_000);
    let event = Event::builder("1", "/s", "t").subject(&subject).build().expect("valid");
    assert!(!pattern.holds(&event));
    assert_eq!(pattern.evaluate(&event).value, Value::Boolean(false));
    assert_ne!(pattern.evaluate(&event).error, Some(ErrorKind::Cast));
}
