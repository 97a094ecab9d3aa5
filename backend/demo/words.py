"""English words for the codes in countryinfo, and how country names stand in a sentence."""


def _pairs(text: str) -> dict[str, str]:
    items = (item.strip().partition(" ") for item in text.split(","))
    return {code: word for code, _, word in items if code}


def _names(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(","))


CURRENCIES = _pairs("""
AED dirham, AFN afghani, ALL lek, AMD dram, AOA kwanza, ARS peso, AUD Australian dollar,
AWG florin, AZN manat, BAM convertible mark, BBD Barbadian dollar, BDT taka, BGN lev, BHD dinar,
BIF franc, BMD Bermudian dollar, BND Brunei dollar, BOB boliviano, BRL real, BSD Bahamian dollar,
BTN ngultrum, BWP pula, BZD Belize dollar, CAD Canadian dollar, CDF franc, CHF Swiss franc,
CNY yuan, COP peso, CRC colón, CUP peso, CUC peso, CVE escudo, CZK koruna, DJF franc, DKK krone,
DOP peso, DZD dinar, EGP pound, ERN nakfa, ETB birr, EUR euro, FJD Fijian dollar, FKP pound,
GBP pound sterling, GEL lari, GHS cedi, GIP pound, GMD dalasi, GNF franc, GTQ quetzal,
GYD Guyanese dollar, HKD Hong Kong dollar, HNL lempira, HRK kuna, HTG gourde, HUF forint,
IDR rupiah, ILS shekel, INR rupee, IQD dinar, IRR rial, ISK króna, JMD Jamaican dollar, JOD dinar,
JPY yen, KES shilling, KGS som, KHR riel, KMF franc, KPW won, KRW won, KWD dinar,
KYD Cayman Islands dollar, KZT tenge, LAK kip, LBP pound, LKR rupee, LRD Liberian dollar,
LSL loti, LYD dinar, MAD dirham, MDL leu, MGA ariary, MKD denar, MMK kyat, MNT tugrik, MOP pataca,
MUR rupee, MVR rufiyaa, MWK kwacha, MXN peso, MYR ringgit, MZN metical, NAD Namibian dollar,
NGN naira, NIO córdoba, NOK krone, NPR rupee, NZD New Zealand dollar, OMR rial, PAB balboa,
PEN sol, PGK kina, PHP peso, PKR rupee, PLN zloty, PYG guaraní, QAR riyal, RON leu, RSD dinar,
RUB ruble, RWF franc, SAR riyal, SBD Solomon Islands dollar, SCR rupee, SDG pound, SEK krona,
SGD Singapore dollar, SHP pound, SLL leone, SOS shilling, SRD Surinamese dollar, SSP pound,
SYP pound, SZL lilangeni, THB baht, TJS somoni, TMT manat, TND dinar, TOP paʻanga, TRY lira,
TTD Trinidad and Tobago dollar, TWD New Taiwan dollar, TZS shilling, UAH hryvnia, UGX shilling,
USD US dollar, UYU peso, UZS som, VND dong, VUV vatu, WST tala, XAF CFA franc,
XCD East Caribbean dollar, XOF CFA franc, XPF CFP franc, YER rial, ZAR rand
""")

LANGUAGES = _pairs("""
am Amharic, ar Arabic, az Azerbaijani, bg Bulgarian, bn Bengali, ca Catalan, cs Czech, da Danish,
de German, dv Dhivehi, dz Dzongkha, el Greek, en English, es Spanish, et Estonian, fa Persian,
fo Faroese, fr French, he Hebrew, hr Croatian, hu Hungarian, hy Armenian, id Indonesian,
is Icelandic, it Italian, ja Japanese, ka Georgian, kl Greenlandic, km Khmer, ko Korean, lo Lao,
lt Lithuanian, lv Latvian, mk Macedonian, mn Mongolian, ms Malay, my Burmese, ne Nepali, nl Dutch,
no Norwegian, pl Polish, pt Portuguese, ro Romanian, ru Russian, sk Slovak, sl Slovene,
sq Albanian, sr Serbian, sv Swedish, th Thai, tr Turkish, uk Ukrainian, uz Uzbek, vi Vietnamese,
zh Chinese
""")

WITH_ARTICLE = _names("""
Bahamas, British Indian Ocean Territory, Cayman Islands, Central African Republic, Comoros,
Cook Islands, Czech Republic, Democratic Republic of the Congo, Dominican Republic,
Falkland Islands, Faroe Islands, Federated States of Micronesia, Gambia, Isle of Man, Maldives,
Marshall Islands, Netherlands, Northern Mariana Islands, Philippines, Pitcairn Islands,
Republic of Macedonia, Republic of the Congo, Seychelles, Solomon Islands,
Turks and Caicos Islands, United Arab Emirates, United Kingdom, United States, Åland Islands
""")

# Entries that are no country of today: unions that have split up.
NOT_COUNTRIES = _names("Serbia and Montenegro, Antilles néerlandaises")
