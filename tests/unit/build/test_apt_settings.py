"""The download settings of a host's apt: for a builder, for programs other than apt, and for an image."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.apt_settings import (
    parse_dump,
    parse_proxies,
    without_host_files,
)

PROXY = "http://proxy.example:3128/"
DUMP = f"""\
APT::Architecture "amd64";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "{PROXY}";
Acquire::http::Proxy::intern.example "DIRECT";
Acquire::https::CaInfo "/etc/ssl/own.pem";
Acquire::Check-Valid-Until "false";
Acquire::Languages:: "none";
DPkg::Pre-Invoke:: "rm -rf /";
"""


def test_download_settings_of_apt_are_selected():
    assert parse_dump(DUMP) == DUMP.splitlines()[3:7]


def test_names_of_options_are_not_case_sensitive():
    dump = f'acquire::HTTP::proxy "{PROXY}";\nACQUIRE::retries "3";\n'
    assert parse_dump(dump) == dump.splitlines()
    assert parse_proxies(parse_dump(dump), "")["http_proxy"] == PROXY


@pytest.mark.parametrize("value", ["DIRECT", "false", "none"])
def test_value_that_is_no_url_is_no_proxy(value):
    assert parse_proxies([f'Acquire::http::Proxy "{value}";'], "") == {}


def test_https_has_the_proxy_of_http_for_archives_unless_it_has_its_own():
    http = f'Acquire::http::Proxy "{PROXY}";'
    both = {"http_proxy": PROXY, "https_proxy": PROXY}
    assert parse_proxies([http], "", only_archives=True) == both
    assert parse_proxies([http], "") == {"http_proxy": PROXY}
    for archives in (True, False):
        assert parse_proxies([http, 'Acquire::https::Proxy "DIRECT";'], "", archives) == {"http_proxy": PROXY}
        other = "http://other.example:3128"
        own = [f'Acquire::https::Proxy "{other}";', http]
        assert parse_proxies(own, "", archives) == {**both, "https_proxy": other}
    assert parse_proxies([f'Acquire::ftp::Proxy "{PROXY}";'], "") == {"ftp_proxy": PROXY}


@pytest.mark.parametrize(
    ("given", "joined"), [("", "intern.example"), ("localhost,.lan", "localhost,.lan,intern.example")]
)
def test_servers_without_a_proxy_are_added_to_no_proxy(given, joined):
    settings = [*parse_dump(DUMP), 'Acquire::https::proxy::intern.example "DIRECT";']
    assert parse_proxies(settings, given)["no_proxy"] == joined
    # The variable of the environment is inherited if apt adds nothing to it.
    assert "no_proxy" not in parse_proxies([f'Acquire::http::Proxy::mirror.example "{PROXY}";'], given)


@pytest.mark.parametrize(
    "option",
    [
        "http::Proxy-Auto-Detect", "http::ProxyAutoDetect", "https::CaInfo", "https::CAPath", "https::CRLFile",
        "https::SSLCert", "https::SslKey", "https::CAInfo::mirror.example", "https::mirror.example::CAInfo",
    ],
)  # fmt: skip
def test_settings_that_name_files_of_the_host_are_not_valid_in_an_image(option):
    portable = [f'Acquire::http::Proxy "{PROXY}";', 'Acquire::https::Verify-Peer "false";', 'Acquire::Retries "3";']
    line = f'Acquire::{option} "/usr/local/lib/own";'
    assert parse_dump(line) == [line]
    assert without_host_files([line, *portable]) == portable
