use super::*;

/// Header, browser, its version, system, its version, device without a stated width; empty is absent.
#[rustfmt::skip] // One line each, however long.
const HEADERS: [[&str; 6]; 64] = [
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "126.0.0.0", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36", "Chrome", "125.0.0.0", "macOS", "10.15.7", "desktop"],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36", "Chrome", "124.0.0.0", "Linux", "", "desktop"],
    ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome", "126.0.0.0", "Android", "10", "mobile"],
    ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "126.0.0.0", "Android", "10", "tablet"],
    ["Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.71 Mobile Safari/537.36", "Chrome", "126.0.6478.71", "Android", "14", "mobile"],
    ["Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Mobile Safari/537.36", "Chrome", "113.0.0.0", "Android", "10", "mobile"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "Chrome", "126.0.6478.54", "iOS", "17.5", "mobile"],
    ["Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "Chrome", "126.0.6478.54", "iOS", "17.5", "tablet"],
    ["Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "126.0.0.0", "Chrome OS", "", "desktop"],
    ["Mozilla/5.0 (X11; CrOS aarch64 15699.85.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36", "Chrome", "121.0.0.0", "Chrome OS", "", "desktop"],
    ["Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36", "Chrome", "109.0.0.0", "Windows", "6.1", "desktop"],
    ["Mozilla/5.0 (Linux; Android 13; SM-X906C Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/80.0.3987.119 Mobile Safari/537.36", "Chrome", "80.0.3987.119", "Android", "13", "mobile"],
    ["Mozilla/5.0 (Linux; Android 12; SM-G991B Build/SP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.147 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/467.0.0.44.80;]", "Chrome", "125.0.6422.147", "Android", "12", "mobile"],
    ["Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S52) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/98.0.4758.101 Safari/537.36", "Chrome", "98.0.4758.101", "Android", "9", "tablet"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.56", "Edge", "126.0.2592.56", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "126.0.0.0", "macOS", "10.15.7", "desktop"],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "126.0.0.0", "Linux", "", "desktop"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "Edge", "18.17763", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Linux; Android 10; HD1913) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.71 Mobile Safari/537.36 EdgA/125.0.2535.51", "Edge", "125.0.2535.51", "Android", "10", "mobile"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/125.2535.60 Mobile/15E148 Safari/605.1.15", "Edge", "125.2535.60", "iOS", "17.5.1", "mobile"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0", "Opera", "110.0.0.0", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0", "Opera", "110.0.0.0", "macOS", "10.15.7", "desktop"],
    ["Mozilla/5.0 (Linux; Android 10; VOG-L29) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.71 Mobile Safari/537.36 OPR/76.2.4027.73374", "Opera", "76.2.4027.73374", "Android", "10", "mobile"],
    ["Opera/9.80 (Windows NT 6.1; U; en) Presto/2.12.388 Version/12.16", "Opera", "9.80", "Windows", "6.1", "desktop"],
    ["Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10", "Opera", "9.80", "", "", ""],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.44", "Vivaldi", "6.8.3381.44", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.44", "Vivaldi", "6.8.3381.44", "Linux", "", "desktop"],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Brave Chrome/83.0.4103.116 Safari/537.36", "Brave", "", "Linux", "", "desktop"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 13_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Brave/1.17 Version/13.0.5 Mobile/15E148 Safari/605.1.15", "Brave", "1.17", "iOS", "13.5", "mobile"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Brave/1.66.118 Chrome/125.0.0.0 Safari/537.36", "Brave", "1.66.118", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", "Samsung Internet", "25.0", "Android", "14", "mobile"],
    ["Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Safari/537.36", "Samsung Internet", "24.0", "Android", "13", "tablet"],
    ["Mozilla/5.0 (Linux; U; Android 11; en-US; RMX2185) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.5.8.1311 Mobile Safari/537.36", "UC Browser", "13.5.8.1311", "Android", "11", "mobile"],
    ["Mozilla/5.0 (Linux; U; Android 8.1.0; zh-CN; EML-AL00) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/57.0.2987.108 UCBrowser/11.9.4.974 UWS/2.13.1.48 Mobile Safari/537.36", "UC Browser", "11.9.4.974", "Android", "8.1.0", "mobile"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127.0", "Windows", "10.0", "desktop"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127.0", "macOS", "10.15", "desktop"],
    ["Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127.0", "Linux", "", "desktop"],
    ["Mozilla/5.0 (X11; Linux i686; rv:115.0) Gecko/20100101 Firefox/115.0", "Firefox", "115.0", "Linux", "", "desktop"],
    ["Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "Firefox", "127.0", "Android", "14", "mobile"],
    ["Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0", "Firefox", "127.0", "Android", "13", "tablet"],
    ["Mozilla/5.0 (Android; Mobile; rv:40.0) Gecko/40.0 Firefox/40.0", "Firefox", "40.0", "Android", "", "mobile"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 14_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "Firefox", "127.0", "iOS", "14.5", "mobile"],
    ["Mozilla/5.0 (iPad; CPU OS 14_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "Firefox", "127.0", "iOS", "14.5", "tablet"],
    ["Mozilla/5.0 (X11; FreeBSD amd64; rv:126.0) Gecko/20100101 Firefox/126.0", "Firefox", "126.0", "", "", ""],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari", "17.5", "macOS", "10.15.7", "desktop"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari", "17.5", "iOS", "17.5.1", "mobile"],
    ["Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1", "Safari", "12.1.2", "iOS", "12.5.7", "tablet"],
    ["Mozilla/5.0 (iPod touch; CPU iPhone OS 12_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.0 Mobile/15E148 Safari/604.1", "Safari", "12.0", "iOS", "12.0", "mobile"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_6) AppleWebKit/601.7.7 (KHTML, like Gecko) Version/9.1.2 Safari/601.7.7", "Safari", "9.1.2", "macOS", "10.11.6", "desktop"],
    ["Mozilla/5.0 (Linux; U; Android 4.0.3; de-de; GT-I9100) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30", "Safari", "4.0", "Android", "4.0.3", "mobile"],
    ["MobileSafari/604.1 CFNetwork/1494.0.7 Darwin/23.4.0", "Safari", "", "", "", "mobile"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 WhatsApp/2.24.11", "", "", "iOS", "17.5", "mobile"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E236 Instagram 331.0.0.26.85", "", "", "iOS", "17.4.1", "mobile"],
    ["Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "", "", "Windows", "10.0", "desktop"],
    ["Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)", "", "", "Windows", "6.1", "desktop"],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/80.0.3987.87 Chrome/80.0.3987.87 Safari/537.36", "", "", "Linux", "", "desktop"],
    ["Mozilla/5.0 (PlayStation 4 11.00) AppleWebKit/605.1.15 (KHTML, like Gecko)", "", "", "", "", ""],
    ["Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063", "Edge", "15.15063", "Android", "6.0.1", "mobile"],
    ["Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36", "Safari", "", "Linux", "", "desktop"],
    ["Mozilla/5.0 (Linux; Android 12; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/122.4.1 like Chrome/122.0.6261.145 Safari/537.36", "Chrome", "122.0.6261.145", "Android", "12", "tablet"],
    ["MyShop/4.2 (iPhone; iOS 17.5)", "", "", "iOS", "17.5", "mobile"],
    ["MyShop/4.2", "", "", "", "", ""],
    ["", "", "", "", "", ""],
];

#[test]
fn each_header_is_understood_as_the_table_says() {
    for [header, browser, browser_version, system, system_version, device] in HEADERS {
        let user_agent = UserAgent::parse(header.as_bytes());
        let names = |product: Option<Product>| match product {
            Some(product) => (product.name, product.version.unwrap_or_default()),
            None => ("", SmolStr::default()),
        };
        assert_eq!(names(user_agent.browser()), (browser, SmolStr::new(browser_version)), "browser of {header}");
        assert_eq!(names(user_agent.system()), (system, SmolStr::new(system_version)), "system of {header}");
        assert_eq!(user_agent.device().map_or("", Device::as_str), device, "device of {header}");
    }
}

#[test]
fn only_printable_ascii_and_tabs_are_believed() {
    assert_eq!(UserAgent::parse(b"Mozilla/5.0\t~ ").as_str(), "Mozilla/5.0\t~ ");
    for header in [&b"Mozilla/5.0 \xc3\xa9"[..], b"Mozilla/5.0\x7f", b"a\nb", b"\x00", b""] {
        assert_eq!(UserAgent::parse(header).as_str(), "");
    }
}

#[test]
fn a_version_is_cut_at_a_bound() {
    let header = format!("Firefox/{}", "9".repeat(10_000));
    let version = UserAgent::parse(header.as_bytes()).browser().and_then(|browser| browser.version);
    assert_eq!(version.map(|version| version.len()), Some(VERSION_BYTES_MAX));
}

#[test]
fn the_class_of_a_screen_changes_at_768_and_1024_pixels() {
    let cases =
        [(0, "mobile"), (767, "mobile"), (768, "tablet"), (1023, "tablet"), (1024, "desktop"), (u32::MAX, "desktop")];
    for (width, class) in cases {
        assert_eq!(Device::of_width(width).as_str(), class, "{width}");
    }
}
