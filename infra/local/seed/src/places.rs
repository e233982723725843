//! Where tenants are, and what they and their people are called there.

use fake::{
    Fake,
    faker::{
        company::raw::CompanyName,
        name::raw::{FirstName, LastName},
    },
    locales::{AR_SA, DE_DE, EN, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, PT_PT, TR_TR, ZH_CN, ZH_TW},
};
use rand::Rng;

use crate::chance::{any, percent, pick};

/// Whose names are given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tongue {
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

/// Countries by ISO 3166-1 alpha-2 code, and how common they are among the tenants.
const PLACES: [(u32, Place); 19] = [
    (30, Place("ID", Tongue::Indonesian)),
    (10, Place("US", Tongue::English)),
    (8, Place("BR", Tongue::BrazilianPortuguese)),
    (6, Place("SG", Tongue::English)),
    (6, Place("MY", Tongue::English)),
    (6, Place("DE", Tongue::German)),
    (5, Place("GB", Tongue::English)),
    (5, Place("FR", Tongue::French)),
    (4, Place("NL", Tongue::Dutch)),
    (4, Place("IT", Tongue::Italian)),
    (4, Place("JP", Tongue::Japanese)),
    (3, Place("AU", Tongue::English)),
    (3, Place("PH", Tongue::English)),
    (3, Place("TR", Tongue::Turkish)),
    (3, Place("SA", Tongue::Arabic)),
    (2, Place("PT", Tongue::Portuguese)),
    (2, Place("CN", Tongue::SimplifiedChinese)),
    (2, Place("TW", Tongue::TraditionalChinese)),
    (2, Place("AE", Tongue::Arabic)),
];

/// A country, and whose names are given there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(&'static str, Tongue);

macro_rules! in_tongue {
    ($tongue:expr, $locale:ident => $spoken:expr, $otherwise:expr) => {
        match $tongue {
            Tongue::Arabic => in_tongue!(@ AR_SA, $locale, $spoken),
            Tongue::BrazilianPortuguese => in_tongue!(@ PT_BR, $locale, $spoken),
            Tongue::Dutch => in_tongue!(@ NL_NL, $locale, $spoken),
            Tongue::English => in_tongue!(@ EN, $locale, $spoken),
            Tongue::French => in_tongue!(@ FR_FR, $locale, $spoken),
            Tongue::German => in_tongue!(@ DE_DE, $locale, $spoken),
            Tongue::Italian => in_tongue!(@ IT_IT, $locale, $spoken),
            Tongue::Japanese => in_tongue!(@ JA_JP, $locale, $spoken),
            Tongue::Portuguese => in_tongue!(@ PT_PT, $locale, $spoken),
            Tongue::SimplifiedChinese => in_tongue!(@ ZH_CN, $locale, $spoken),
            Tongue::TraditionalChinese => in_tongue!(@ ZH_TW, $locale, $spoken),
            Tongue::Turkish => in_tongue!(@ TR_TR, $locale, $spoken),
            Tongue::Indonesian => $otherwise,
        }
    };
    (@ $data:ident, $locale:ident, $spoken:expr) => {{
        let $locale = $data;
        $spoken
    }};
}

impl Place {
    /// A country for a tenant.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        pick(rng, &PLACES)
    }

    /// The place of a country; its people have English names where nothing better is known.
    pub(crate) fn of(country: &str) -> Self {
        let known = PLACES.iter().map(|(_, place)| *place).find(|place| place.0 == country);
        known.unwrap_or(Self("", Tongue::English))
    }

    /// ISO 3166-1 alpha-2 code.
    pub(crate) fn country(self) -> &'static str {
        self.0
    }

    /// What a company is called there.
    pub(crate) fn company(self, rng: &mut impl Rng) -> String {
        let name: String =
            in_tongue!(self.1, locale => CompanyName(locale).fake_with_rng(rng), indonesian::company(rng));
        tidy(&name)
    }

    /// What somebody who lives there is called: first and last name. Some have come from elsewhere.
    pub(crate) fn person(self, rng: &mut impl Rng) -> (String, String) {
        let tongue = if percent(rng, 15) { Tongue::English } else { self.1 };
        let (first, last): (&str, &str) = in_tongue!(
            tongue,
            locale => (FirstName(locale).fake_with_rng(rng), LastName(locale).fake_with_rng(rng)),
            (any(rng, indonesian::FIRST_NAMES), any(rng, indonesian::LAST_NAMES))
        );
        (tidy(first), tidy(last))
    }
}

/// Some names of the crate have a tab, or more than one space.
fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names that the `fake` crate does not know.
mod indonesian {
    use rand::Rng;

    use crate::chance::any;

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
        format!("{} {} {}", any(rng, FORMS), any(rng, WORDS), any(rng, WORDS))
    }
}

#[cfg(test)]
mod tests {
    use shared::{tenants::TenantName, types::Country};

    use super::*;

    #[test]
    fn every_name_of_every_place_is_one_that_the_platform_takes() {
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
