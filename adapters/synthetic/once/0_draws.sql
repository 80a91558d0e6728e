-- The world with known truth (docs/synthetic.md).
-- The files of once/ run once, in the order of their names; then those of monthly/ for every month of the table months;
-- all on one connection. $customers, $seed and $days are whole numbers. Day 0 is 2023-01-01; what reaches the company on day
-- $days or later is not in the files.

-- Every number drawn is a hash of the seed, what it is for, and whom it is for: threads and the number of customers do not change it.
-- The outer hash mixes again: a hash of several columns is an XOR of theirs, which alone would tie the draws of two customers together.
create temp macro drawn(purpose, n, k) as
    hash(hash(cast($seed as bigint), purpose, cast(n as bigint), cast(k as bigint)));

-- Uniform, between 0 and 1, never either.
create temp macro chance(purpose, n, k) as
    (cast(drawn(purpose, n, k) >> 11 as double) + cast(0.5 as double)) / 9007199254740992;

create temp macro whole_below(limit_, purpose, n, k) as cast(drawn(purpose, n, k) % limit_ as integer);

-- Standard normal (Box and Muller 1958).
create temp macro normal(purpose, n) as sqrt(-2 * ln(chance(purpose, n, 1))) * cos(2 * pi() * chance(purpose, n, 2));

create temp macro moment(day, second) as
    make_timestamp(1672531200000000 + (cast(day as bigint) * 86400 + second) * 1000000);

create temp macro key_of(system, n) as upper(left(system, 1)) || to_hex(hash(cast($seed as bigint), system, cast(n as bigint)));

create temp macro id_of(what, n, k) as left(what, 1) || '-' || lower(to_hex(drawn(what, n, k)));

-- The day on which a system first has a record of somebody. A purchase needs a record; the others follow within weeks.
create temp macro record_day(system, n, entry_day) as
    entry_day + case system
        when 'crm' then whole_below(60, 'crm record', n, 0)
        when 'mailer' then whole_below(30, 'mailer record', n, 0)
        else 0
    end;

create temp macro has_record(system, has_crm, has_mailer, has_shop, has_till) as
    case system when 'crm' then has_crm when 'mailer' then has_mailer when 'shop' then has_shop else has_till end;

-- Consent comes with the record: for e-mail always, by letter from most, by text message from some. One in 25 withdraws it by
-- itself, and of these a quarter grants it again two months later; messages stay away from them all the same.
create temp macro consents_to(channel, n) as
    chance('consent to ' || channel, n, 0) < case channel when 'email' then 1 when 'post' then 0.85 else 0.6 end;

create temp macro withdrawal_day(channel, n) as
    case when chance('withdraws ' || channel, n, 0) < 0.04 then whole_below(730, 'withdraws ' || channel, n, 1) end;

-- Contact data. The prime factor spreads the numbers: neighbours look like strangers, and no two persons share by accident.
create temp macro name_of(n) as
    ['Anna', 'Ben', 'Clara', 'David', 'Emma', 'Felix', 'Greta', 'Hugo', 'Ida', 'Jonas', 'Käthe', 'Lukas'][
        1 + whole_below(12, 'first name', n, 0)
    ]
    || ' '
    || ['Bauer', 'Brown', 'Fischer', 'Jones', 'Keller', 'Martin', 'Meier', 'Schmidt', 'Smith', 'Weber', 'Wilson', 'Wolf'][
        1 + whole_below(12, 'last name', n, 0)
    ];

create temp macro email_of(owner) as
    case
        when owner < 0 then 'info@office' || -owner || '.example.com'
        else replace(replace(lower(name_of(owner)), ' ', '.'), 'ä', 'ae') || (owner * 7919 + 314159) % 1000000000 || '@example.org'
    end;

-- One address in ten is typed in capitals, one in twenty with a blank behind, one in twenty with a tag.
create temp macro as_typed(email, system, n) as
    case whole_below(20, 'address as typed ' || system, n, 0)
        when 0 then upper(email)
        when 1 then upper(left(email, 1)) || substr(email, 2)
        when 2 then email || ' '
        when 3 then replace(email, '@', '+' || system || '@')
        else email
    end;

create temp macro calling_code(country) as
    case country when 'DE' then '49' when 'AT' then '43' when 'CH' then '41' when 'FR' then '33' when 'GB' then '44' else '1' end;

create temp macro phone_digits(owner) as printf('%09d', (owner * 7919 + 161803) % 1000000000);

-- A mobile number that the plan of its country allows, as it is dialled there but for a leading 0.
create temp macro mobile_of(owner, country) as
    case country
        when 'DE' then '151' || right(phone_digits(owner), 8)
        when 'AT' then '664' || right(phone_digits(owner), 8)
        when 'GB' then '74' || right(phone_digits(owner), 8)
        when 'CH' then '79' || right(phone_digits(owner), 7)
        when 'FR' then '61' || right(phone_digits(owner), 7)
        else '2025' || right(phone_digits(owner), 6)
    end;

-- Written abroad, at home, with and without blanks.
create temp macro phone_of(owner, country, style) as
    case style
        when 0 then '+' || calling_code(country)
        when 1 then '00' || calling_code(country)
        when 2 then case country when 'US' then '' else '0' end
        else '+' || calling_code(country) || ' '
    end
    || case style
        when 2 then left(mobile_of(owner, country), 3) || ' ' || substr(mobile_of(owner, country), 4)
        else mobile_of(owner, country)
    end;

-- What a case says, by mood: below a third angry, above two thirds pleased.
create temp macro body_of(mood, is_english, variant) as
    case
        when is_english and mood < 0.33 then [
            'The parcel came late and broken, I am very angry.',
            'Terrible service, nobody answers. I want my money back.',
            'The product is bad and I am disappointed.'
        ]
        when is_english and mood < 0.67 then [
            'Please send me the invoice again.',
            'When will my order arrive?',
            'Can I change the address?'
        ]
        when is_english then [
            'Thank you, great service and quick delivery!',
            'I love it, excellent quality.',
            'Very friendly help, I am happy.'
        ]
        when mood < 0.33 then [
            'Das Paket kam zu spät und kaputt, ich bin sehr verärgert.',
            'Schlechter Service, niemand antwortet. Ich will mein Geld zurück.',
            'Das Produkt ist mangelhaft, ich bin enttäuscht.'
        ]
        when mood < 0.67 then [
            'Bitte senden Sie mir die Rechnung noch einmal.',
            'Wann kommt meine Bestellung an?',
            'Kann ich die Adresse ändern?'
        ]
        else [
            'Danke, toller Service und schnelle Lieferung!',
            'Ich bin begeistert, hervorragende Qualität.',
            'Sehr freundliche Hilfe, super zufrieden.'
        ]
    end[1 + variant];

-- Products: 1,000 in 12 categories, the same assortment in both shops.
create temp macro category_of(product) as product % 12;

create temp macro list_price(product) as round(exp(2.2 + 0.8 * normal('list price', product)), 2) + 0.5;

create temp macro currency_of(country) as
    case country when 'CH' then 'CHF' when 'GB' then 'GBP' when 'US' then 'USD' else 'EUR' end;

create temp macro rate_of(currency) as case currency when 'CHF' then 0.97 when 'GBP' then 0.86 when 'USD' then 1.08 else 1.0 end;
