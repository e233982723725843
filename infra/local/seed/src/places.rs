//! Countries of tenants, and names of companies and people in them.

use fake::{
    Fake,
    faker::{
        company::raw::CompanyName,
        name::raw::{FirstName, LastName},
    },
    locales::{AR_SA, DE_DE, EN, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, PT_PT, TR_TR, ZH_CN, ZH_TW},
};
use rand::Rng;

use crate::random::{chance, choose, weighted};

/// The language of names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Language {
    Arabic,
    BrazilianPortuguese,
    Dutch,
    English,
    French,
    German,
    Indonesian,
    Italian,
    Japanese,
    Portuguese,
    SimplifiedChinese,
    TraditionalChinese,
    Turkish,
}

/// Countries with their weights among the tenants.
const PLACES: [(u32, Place); 19] = [
    (30, Place("ID", Language::Indonesian)),
    (10, Place("US", Language::English)),
    (8, Place("BR", Language::BrazilianPortuguese)),
    (6, Place("SG", Language::English)),
    (6, Place("MY", Language::English)),
    (6, Place("DE", Language::German)),
    (5, Place("GB", Language::English)),
    (5, Place("FR", Language::French)),
    (4, Place("NL", Language::Dutch)),
    (4, Place("IT", Language::Italian)),
    (4, Place("JP", Language::Japanese)),
    (3, Place("AU", Language::English)),
    (3, Place("PH", Language::English)),
    (3, Place("TR", Language::Turkish)),
    (3, Place("SA", Language::Arabic)),
    (2, Place("PT", Language::Portuguese)),
    (2, Place("CN", Language::SimplifiedChinese)),
    (2, Place("TW", Language::TraditionalChinese)),
    (2, Place("AE", Language::Arabic)),
];

/// A country (ISO 3166-1 alpha-2) and the language of its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(&'static str, Language);

macro_rules! in_language {
    ($language:expr, $locale:ident => $spoken:expr, $otherwise:expr) => {
        match $language {
            Language::Arabic => in_language!(@ AR_SA, $locale, $spoken),
            Language::BrazilianPortuguese => in_language!(@ PT_BR, $locale, $spoken),
            Language::Dutch => in_language!(@ NL_NL, $locale, $spoken),
            Language::English => in_language!(@ EN, $locale, $spoken),
            Language::French => in_language!(@ FR_FR, $locale, $spoken),
            Language::German => in_language!(@ DE_DE, $locale, $spoken),
            Language::Italian => in_language!(@ IT_IT, $locale, $spoken),
            Language::Japanese => in_language!(@ JA_JP, $locale, $spoken),
            Language::Portuguese => in_language!(@ PT_PT, $locale, $spoken),
            Language::SimplifiedChinese => in_language!(@ ZH_CN, $locale, $spoken),
            Language::TraditionalChinese => in_language!(@ ZH_TW, $locale, $spoken),
            Language::Turkish => in_language!(@ TR_TR, $locale, $spoken),
            Language::Indonesian => $otherwise,
        }
    };
    (@ $data:ident, $locale:ident, $spoken:expr) => {{
        let $locale = $data;
        $spoken
    }};
}

impl Place {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        weighted(rng, &PLACES)
    }

    /// The place of a country. A country that is not in the list has English names.
    pub(crate) fn of(country: &str) -> Self {
        let known = PLACES.iter().map(|(_, place)| *place).find(|place| place.0 == country);
        known.unwrap_or(Self("", Language::English))
    }

    /// ISO 3166-1 alpha-2 code.
    pub(crate) fn country(self) -> &'static str {
        self.0
    }

    pub(crate) fn company(self, rng: &mut impl Rng) -> String {
        let name: String =
            in_language!(self.1, locale => CompanyName(locale).fake_with_rng(rng), indonesian::company(rng));
        tidy(&name)
    }

    /// A first and a last name. Some people have English names in every country.
    pub(crate) fn person(self, rng: &mut impl Rng) -> (String, String) {
        let language = if chance(rng, 15) { Language::English } else { self.1 };
        let (first, last): (&str, &str) = in_language!(
            language,
            locale => (FirstName(locale).fake_with_rng(rng), LastName(locale).fake_with_rng(rng)),
            (choose(rng, indonesian::FIRST_NAMES), choose(rng, indonesian::LAST_NAMES))
        );
        (tidy(first), tidy(last))
    }
}

/// Some names of the `fake` crate contain a tab or several spaces.
fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Indonesian names, which the `fake` crate does not contain.
mod indonesian {
    use rand::Rng;

    use crate::random::choose;

    const FORMS: &[&str] = &["PT", "PT", "CV", "Toko", "Warung", "Kopi", "Klinik", "Koperasi", "UD", "Batik"];
    const WORDS: &[&str] = &[
        "Abadi",
        "Agung",
        "Anugerah",
        "Bahagia",
        "Bahari",
        "Berkah",
        "Bersama",
        "Bumi",
        "Cahaya",
        "Cakra",
        "Cipta",
        "Citra",
        "Dharma",
        "Duta",
        "Gemilang",
        "Graha",
        "Harapan",
        "Indah",
        "Jaya",
        "Karya",
        "Kencana",
        "Lestari",
        "Makmur",
        "Mandiri",
        "Mitra",
        "Mulia",
        "Nusantara",
        "Pelita",
        "Permata",
        "Prima",
        "Puspa",
        "Raya",
        "Rejeki",
        "Samudra",
        "Sejahtera",
        "Sentosa",
        "Sinar",
        "Sukses",
        "Surya",
        "Tirta",
        "Tunas",
        "Utama",
        "Wijaya",
    ];
    pub(super) const FIRST_NAMES: &[&str] = &[
        "Adi", "Agus", "Ahmad", "Aisyah", "Anisa", "Arief", "Ayu", "Bambang", "Bayu", "Budi", "Citra", "Dedi", "Dewi",
        "Dian", "Dimas", "Eka", "Fajar", "Fitri", "Galih", "Hana", "Hendra", "Indah", "Intan", "Irfan", "Joko",
        "Kartika", "Lestari", "Maya", "Mega", "Nadia", "Ningsih", "Nur", "Putri", "Rahmat", "Ratna", "Rina", "Rizky",
        "Sari", "Siti", "Sri", "Surya", "Taufik", "Tri", "Wahyu", "Wulan", "Yanti", "Yoga", "Yudi", "Yuni", "Zahra",
    ];
    pub(super) const LAST_NAMES: &[&str] = &[
        "Anggraini",
        "Ginting",
        "Gunawan",
        "Halim",
        "Handayani",
        "Harahap",
        "Hartono",
        "Hidayat",
        "Irawan",
        "Iskandar",
        "Kurniawan",
        "Kusuma",
        "Lubis",
        "Mahendra",
        "Manurung",
        "Maulana",
        "Nasution",
        "Nugroho",
        "Permana",
        "Pranata",
        "Prasetyo",
        "Pratama",
        "Purnomo",
        "Rahayu",
        "Rahman",
        "Ramadhan",
        "Saputra",
        "Saragih",
        "Setiawan",
        "Siregar",
        "Situmorang",
        "Subagyo",
        "Sudirman",
        "Sulistyo",
        "Susanto",
        "Suryadi",
        "Tanjung",
        "Utomo",
        "Wibowo",
        "Widodo",
        "Wijaya",
        "Wulandari",
        "Yulianto",
        "Yusuf",
    ];

    pub(super) fn company(rng: &mut impl Rng) -> String {
        format!("{} {} {}", choose(rng, FORMS), choose(rng, WORDS), choose(rng, WORDS))
    }
}

#[cfg(test)]
mod tests {
    use shared::{tenants::TenantName, types::Country};

    use super::*;

    #[test]
    fn every_generated_name_is_valid() {
        let mut rng = rand::rng();
        for (_, place) in PLACES {
            assert!(Country::parse(place.country()).is_ok());
            for _ in 0..300 {
                let company = place.company(&mut rng);
                assert_eq!(TenantName::parse(&company).unwrap().as_str(), company);
                let (first, last) = place.person(&mut rng);
                assert!(TenantName::parse(&format!("{first} {last}")).is_ok());
            }
        }
    }
}
