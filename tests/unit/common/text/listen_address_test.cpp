// SPDX-License-Identifier: MIT
#include "common/text/listen_address.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

namespace usher::listen_address_test {

using Kind = ListenAddress::Kind;

namespace {

std::string error_of(std::string_view text)
{
    try {
        static_cast<void>(parse_listen_address(text));
        return "no error";
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

void check_host(std::string_view text, std::string_view host, std::uint16_t port)
{
    CAPTURE(text);
    const ListenAddress address = parse_listen_address(text);
    CHECK(address.kind == Kind::host);
    CHECK(address.host == host);
    CHECK(address.port == port);
    CHECK(address.path.empty());
}

} // namespace

TEST_SUITE_BEGIN("listen_address");

TEST_CASE("a port alone, or with a star, is every interface")
{
    for (const char* text : {"8000", "*:8000"}) {
        const ListenAddress address = parse_listen_address(text);
        CHECK(address.kind == Kind::any);
        CHECK(address.host.empty());
        CHECK(address.port == 8000);
    }
    CHECK(parse_listen_address("0").port == 0);
    CHECK(parse_listen_address("65535").port == 65535);
}

TEST_CASE("names and literals keep their host")
{
    check_host("127.0.0.1:8000", "127.0.0.1", 8000);
    check_host("localhost:0", "localhost", 0);
    check_host("my-host_2.example.org.:80", "my-host_2.example.org.", 80);
    check_host("[::]:8000", "::", 8000);
    check_host("[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80);
    check_host("[fe80::1%eth0]:80", "fe80::1%eth0", 80);
}

TEST_CASE("a Unix-domain path is taken as it stands")
{
    const ListenAddress absolute = parse_listen_address("unix:/run/my.sock");
    CHECK(absolute.kind == Kind::unix_path);
    CHECK(absolute.path == "/run/my.sock");

    CHECK(parse_listen_address("unix:my.sock").path == "my.sock");
    CHECK(parse_listen_address("unix:a:b://c").path == "a:b://c");
    CHECK(parse_listen_address("unix:" + std::string(107, 'x')).path.size() == 107);
}

TEST_CASE("the prefix of a path is no host, whatever its capitals")
{
    const ListenAddress abstract = parse_listen_address("Unix:@My/name:1");
    CHECK(abstract.kind == Kind::unix_name);
    CHECK(abstract.name == "My/name:1");
    CHECK(abstract.path.empty());
    CHECK(parse_listen_address("unix:@" + std::string(107, 'x')).name.size() == 107);
    CHECK(parse_listen_address("unix:./@x").path == "./@x");
    CHECK_FALSE(mean_the_same("unix:@x", "unix:x"));
    CHECK(error_of("unix:@") == "\"unix:@\" has no name: use unix:@my-server");
    CHECK(error_of("unix:@" + std::string(108, 'x'))
              .ends_with("has a name of 108 bytes: use at most 107"));
    CHECK(error_of(std::string_view{"unix:@a\0b", 9}) ==
          "\"unix:@a\\u0000b\" has a zero byte in its name: remove it");

    for (const std::string_view text : {"Unix:8000", "UNIX:8000", "unix:8000"}) {
        CAPTURE(text);
        const ListenAddress address = parse_listen_address(text);
        CHECK(address.kind == Kind::unix_path);
        CHECK(address.path == "8000");
    }
    CHECK(parse_listen_address("Unix:/run/My.sock").path == "/run/My.sock");
    check_host("unix.example.org:80", "unix.example.org", 80);
    CHECK(error_of("UNIX:") == "\"UNIX:\" has no path: use unix:/run/my-server.sock");
}

TEST_CASE("a path is refused that is empty, too long or has a zero byte")
{
    CHECK(error_of("unix:") == "\"unix:\" has no path: use unix:/run/my-server.sock");
    CHECK(error_of("unix:" + std::string(108, 'x')) ==
          "\"unix:" + std::string(75, 'x') + "...\" has a path of 108 bytes: use at most 107");
    CHECK(error_of(std::string_view{"unix:a\0b", 8}) ==
          "\"unix:a\\u0000b\" has a zero byte in its path: remove it");
}

TEST_CASE("a port is a number from 0 to 65535")
{
    CHECK(error_of("70000") == "\"70000\" is no port: use 0 to 65535");
    CHECK(error_of("localhost:65536") == "\"65536\" is no port: use 0 to 65535");
    CHECK(error_of("localhost:http") == "\"http\" is no port: use 0 to 65535");
    CHECK(error_of("localhost:-1") == "\"-1\" is no port: use 0 to 65535");
    CHECK(error_of("[::]:x") == "\"x\" is no port: use 0 to 65535");
    CHECK(error_of("*:") == "\"*:\" has no port: use *:8000");
}

TEST_CASE("an IPv6 address needs its brackets")
{
    CHECK(error_of("::1:8000") ==
          "\"::1:8000\" has an IPv6 address without brackets: use [::1]:8000");
    CHECK(error_of("::1") == "\"::1\" has an IPv6 address without brackets: use [::1]:8000");
    CHECK(error_of("fe80::1%eth0:80") ==
          "\"fe80::1%eth0:80\" has an IPv6 address without brackets: use [fe80::1%eth0]:80");
    CHECK(error_of("[127.0.0.1]:80") ==
          "\"[127.0.0.1]:80\" has no IPv6 address in its brackets: use [::1]:8000");
    CHECK(error_of("[::1:80") == "\"[::1:80\" has no IPv6 address in its brackets: use [::1]:8000");
    CHECK(error_of("[fe80::1%]:80") ==
          "\"[fe80::1%]:80\" has no IPv6 address in its brackets: use [::1]:8000");
    CHECK(error_of("[::1]") == "\"[::1]\" has no port: use [::1]:8000");
    CHECK(error_of("[::1]8000") == "\"[::1]8000\" has no port: use [::1]:8000");
}

TEST_CASE("a URL is told from an address")
{
    CHECK(error_of("http://127.0.0.1:8000") ==
          "\"http://127.0.0.1:8000\" is a URL: use the address alone, e.g. 127.0.0.1:8000");
    CHECK(error_of("http://localhost:80/a?b") ==
          "\"http://localhost:80/a?b\" is a URL: use the address alone, e.g. localhost:80");
    CHECK(error_of("http://localhost/") ==
          "\"http://localhost/\" is a URL: use the address alone, e.g. 127.0.0.1:8000");
}

TEST_CASE("what is missing is named")
{
    CHECK(error_of("localhost") == "\"localhost\" has no port: use localhost:8000");
    CHECK(error_of("localhost:") == "\"localhost:\" has no port: use localhost:8000");
    CHECK(error_of(":8000") == "\":8000\" has no host: use *:8000 for every interface");
    CHECK(error_of("/run/my.sock") ==
          "\"/run/my.sock\" is no address: use unix:/run/my.sock for a socket file");
}

TEST_CASE("a host that no resolver could find is refused")
{
    CHECK(error_of("127.0.0.300:80") == "\"127.0.0.300\" is no IPv4 address: use four numbers from "
                                        "0 to 255, e.g. 127.0.0.1");
    CHECK(error_of("my host:80") ==
          "\"my host\" is no host name: use letters, digits, dots and hyphens");
    CHECK(error_of("-x:80") == "\"-x\" is no host name: use letters, digits, dots and hyphens");
}

TEST_CASE("anything else gets the list of forms")
{
    for (const std::string text : {"", "-1", "a:b:c", "%", "8000 "})
        CHECK(error_of(text) == "\"" + text +
                                    "\" is no address: use 8000, 127.0.0.1:8000, [::]:8000, "
                                    "localhost:8000 or unix:/path");
}

TEST_CASE("only a certain port and a socket file exclude a second listener")
{
    CHECK(is_exclusive(parse_listen_address("8000")));
    CHECK(is_exclusive(parse_listen_address("unix:x")));
    CHECK(is_exclusive(parse_listen_address("unix:@x")));
    CHECK_FALSE(is_exclusive(parse_listen_address("0")));
    CHECK_FALSE(is_exclusive(parse_listen_address("localhost:0")));
}

TEST_CASE("what is written otherwise may mean the same")
{
    CHECK(mean_the_same("8000", "*:8000"));
    CHECK(mean_the_same("LocalHost:80", "localhost:80"));
    CHECK(mean_the_same("[FE80::1%eth0]:80", "[fe80::1%eth0]:80"));
    CHECK_FALSE(mean_the_same("[fe80::1%ETH0]:80", "[fe80::1%eth0]:80"));
    CHECK_FALSE(mean_the_same("8000", "8001"));
    CHECK_FALSE(mean_the_same("unix:A", "unix:a"));
}

TEST_SUITE_END();

} // namespace usher::listen_address_test
