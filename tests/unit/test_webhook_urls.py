"""Where webhooks may be sent: hostile URLs of every kind, and every kind of address that is not the public's."""

from ipaddress import ip_address

import pytest

from control_plane.domain.webhook_urls import MAX_URL_LENGTH, WebhookRules, is_public, refusal_of_url

ON = WebhookRules(on=True)
INSIDE = WebhookRules(on=True, private_addresses=True)

MALFORMED = [
    "",
    "hooks.example.com",
    "//hooks.example.com/x",
    "https:/hooks.example.com",
    "https:hooks.example.com",
    "https://",
    "https:///path",
    "https://?x=1",
    "HTTPS://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "javascript:alert(1)",
    " https://hooks.example.com/",
    "https://hooks.example.com/ ",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\r\nx: y",
    "https://hooks.example.com/\n",
    "https://hooks.example.com\n",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com/\\x",
    "https://hooks.example.com/ü",
    "https://user@hooks.example.com/",
    "https://user:password@hooks.example.com/",
    "https://@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1:80@hooks.example.com/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com#fragment",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:00/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:99999999/",
    "https://hooks.example.com:-1/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com:443:80/",
    "https://hooks..example.com/",
    "https://.example.com/",
    "https://./",
    "https://hooks.example.com../",
    "https://-hooks.example.com/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "com/",
    "https://hooks.example.com/" + "a" * MAX_URL_LENGTH,
    "https://bücher.example/",
    "https://ⓛocalhost/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://%6c%6f%63alhost/",
    "https://127%2e0.0.1/",
    # An IPv4 address in any spelling but the plain one.
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0X7F.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://10.0.0.1.1/",
    "https://256.0.0.1/",
    "https://0/",
    "https://0x/",
    "https://hooks.example.0x1/",
    "https://1.1.1.1./",
    # IPv6 that is none, or has an interface.
    "https://[::1/",
    "https://::1/",
    "https://[]/",
    "https://[:::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1]x/",
    "https://[v1.fe80::a]/",
    "https://[127.0.0.1]/",
]

FORBIDDEN = [
    "http://hooks.example.com/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://localhost:8443/x",
    "https://anything.localhost/",
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://192.88.99.1/",
    "https://224.0.0.1/",
    "https://239.255.255.255/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:808:808::1]/",
    "https://[2001::1]/",
    "https://[2001:2::1]/",
    "https://[2001:10::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[fe80::1]/",
    "https://[FEBF::1]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[5f00::1]/",
    "https://[4000::1]/",
]

TAKEN = [
    "https://hooks.example.com",
    "https://hooks.example.com/",
    "https://hooks.example.com./",
    "https://hooks.example.com:8443/a/b?owner=%C3%A4&x=[1]",
    "https://hooks.example.com?x=1",
    "https://my_host.example.com/~me/@you/!$&'()*+,;=:",
    "https://xn--bcher-kva.example/",
    "https://1and1.example/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]:443/",
    "https://[64:ff9b::808:808]/",
]


def code(url: str, rules: WebhookRules) -> str | None:
    refusal = refusal_of_url(url, rules)
    return None if refusal is None else refusal.code


@pytest.mark.parametrize("url", MALFORMED, ids=ascii)
def test_what_others_might_read_otherwise_is_refused(url: str) -> None:
    assert code(url, ON) == "webhook_url_malformed"
    assert code(url, INSIDE) == "webhook_url_malformed"


@pytest.mark.parametrize("url", FORBIDDEN, ids=ascii)
def test_what_leads_inside_is_refused_unless_it_may(url: str) -> None:
    assert code(url, ON) == "webhook_url_forbidden"
    assert code(url, INSIDE) is None


@pytest.mark.parametrize("url", TAKEN, ids=ascii)
def test_good_ones_are_taken(url: str) -> None:
    assert code(url, ON) is None


def test_without_a_secret_none_is_taken() -> None:
    assert code("https://hooks.example.com/", WebhookRules(on=False)) == "webhooks_off"


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2001:200::1", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_no_address_is_public_that_python_knows_as_none() -> None:
    """Python has the registries too; where it is stricter one day, so are we to be."""
    for number in range(0, 2**32, 2**18 + 77):
        address = ip_address(number)
        assert not is_public(address) or (address.is_global and not address.is_multicast), address
