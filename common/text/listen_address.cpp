// SPDX-License-Identifier: MIT
#include "common/text/listen_address.hpp"

#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

namespace usher {

namespace {

static_assert(sizeof(sockaddr_un::sun_path) == longest_unix_path + 1);

constexpr std::string_view unix_prefix = "unix:";
constexpr std::string_view digits = "0123456789";
constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz"
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789-._";
constexpr std::size_t longest_host_name = 253; // RFC 1035

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
    throw std::invalid_argument{fmt::format(format, std::forward<Args>(args)...)};
}

[[noreturn]] void refuse_form(std::string_view text)
{
    refuse("{} is no address: use 8000, 127.0.0.1:8000, [::]:8000, localhost:8000 or unix:/path",
           quote(text));
}

constexpr bool is_made_of(std::string_view text, std::string_view characters)
{
    return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::optional<std::uint16_t> to_port(std::string_view text)
{
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc{} || rest != end)
        return std::nullopt;
    return port;
}

std::uint16_t parse_port(std::string_view text)
{
    const auto port = to_port(text);
    if (!port)
        refuse("{} is no port: use 0 to 65535", quote(text));
    return *port;
}

bool is_ip_literal(int family, std::string_view text)
{
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    // A zero byte would end the text early for inet_pton().
    return text.find('\0') == std::string_view::npos &&
           ::inet_pton(family, std::string{text}.c_str(), bytes.data()) == 1;
}

/// True for an IPv6 literal, with or without a zone such as `%eth0`.
bool is_ipv6(std::string_view text)
{
    const std::size_t percent = text.find('%');
    if (percent == std::string_view::npos)
        return is_ip_literal(AF_INET6, text);

    const std::string_view zone = text.substr(percent + 1);
    return is_ip_literal(AF_INET6, text.substr(0, percent)) && is_made_of(zone, name_characters) &&
           zone.size() < IFNAMSIZ;
}

bool is_host_name(std::string_view text)
{
    return is_made_of(text, name_characters) && text.size() <= longest_host_name &&
           text.front() != '-' && text.front() != '.';
}

/// Capitals do not matter in prefixes, names and literals; in the name of an interface they do.
std::string in_small_letters(std::string_view host)
{
    std::string result{host};
    std::transform(result.begin(), std::ranges::find(result, '%'), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    return result;
}

ListenAddress parse_unix_path(std::string_view text)
{
    std::string_view path = text.substr(unix_prefix.size());
    const bool is_name = path.starts_with('@');
    path.remove_prefix(is_name ? 1 : 0);
    const auto* const what = is_name ? "name" : "path";
    if (path.empty())
        refuse("{} has no {}: use unix:{}", quote(text), what,
               is_name ? "@my-server" : "/run/my-server.sock");
    if (path.find('\0') != std::string_view::npos)
        refuse("{} has a zero byte in its {}: remove it", quote(text), what);
    if (path.size() > longest_unix_path)
        refuse("{} has a {} of {} bytes: use at most {}", quote(text), what, path.size(),
               longest_unix_path);
    if (is_name)
        return {.kind = ListenAddress::Kind::unix_name, .name = std::string{path}};
    return {.kind = ListenAddress::Kind::unix_path, .path = std::string{path}};
}

ListenAddress parse_bracketed(std::string_view text)
{
    const std::size_t close = text.find(']');
    const std::string_view host = text.substr(1, close == std::string_view::npos ? 0 : close - 1);
    if (!is_ipv6(host))
        refuse("{} has no IPv6 address in its brackets: use [::1]:8000", quote(text));

    const std::string_view rest = text.substr(close + 1);
    if (rest.size() < 2 || rest.front() != ':')
        refuse("{} has no port: use [{}]:8000", quote(text), host);
    return {.kind = ListenAddress::Kind::host,
            .host = in_small_letters(host),
            .port = parse_port(rest.substr(1))};
}

[[noreturn]] void refuse_url(std::string_view text)
{
    std::string_view address = text.substr(text.find("://") + 3);
    address = address.substr(0, address.find_first_of("/?#"));
    refuse("{} is a URL: use the address alone, e.g. {}", quote(text),
           address.find(':') == std::string_view::npos ? "127.0.0.1:8000" : printable(address));
}

[[noreturn]] void refuse_bare_ipv6(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    const std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);

    // `::1:8000` is an address as a whole, too, but hardly the one that was meant.
    if (is_ipv6(host) && to_port(port))
        refuse("{} has an IPv6 address without brackets: use [{}]:{}", quote(text), host, port);
    if (is_ipv6(text))
        refuse("{} has an IPv6 address without brackets: use [{}]:8000", quote(text), text);
    refuse_form(text);
}

[[noreturn]] void refuse_without_colon(std::string_view text)
{
    if (text.starts_with('/') || text.starts_with("./"))
        refuse("{} is no address: use unix:{} for a socket file", quote(text), printable(text));
    if (is_host_name(text) || text == "*")
        refuse("{} has no port: use {}:8000", quote(text), text);
    refuse_form(text);
}

ListenAddress parse_host_and_port(std::string_view text)
{
    const std::size_t colon = text.find(':');
    const std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.empty())
        refuse("{} has no host: use *:{} for every interface", quote(text), printable(port));
    if (port.empty())
        refuse("{} has no port: use {}:8000", quote(text), printable(host));
    if (host == "*")
        return {.kind = ListenAddress::Kind::any, .port = parse_port(port)};

    // Refused here because it would otherwise be looked up as a name.
    if (is_made_of(host, "0123456789.") && !is_ip_literal(AF_INET, host))
        refuse("{} is no IPv4 address: use four numbers from 0 to 255, e.g. 127.0.0.1",
               quote(host));
    if (!is_host_name(host))
        refuse("{} is no host name: use letters, digits, dots and hyphens", quote(host));
    return {.kind = ListenAddress::Kind::host,
            .host = in_small_letters(host),
            .port = parse_port(port)};
}

} // namespace

ListenAddress parse_listen_address(std::string_view text)
{
    if (in_small_letters(text.substr(0, unix_prefix.size())) == unix_prefix)
        return parse_unix_path(text);
    if (text.find("://") != std::string_view::npos)
        refuse_url(text);
    if (is_made_of(text, digits))
        return {.kind = ListenAddress::Kind::any, .port = parse_port(text)};
    if (text.starts_with('['))
        return parse_bracketed(text);

    const auto colons = std::ranges::count(text, ':');
    if (colons == 0)
        refuse_without_colon(text);
    if (colons > 1)
        refuse_bare_ipv6(text);
    return parse_host_and_port(text);
}

bool mean_the_same(std::string_view some, std::string_view other)
{
    return parse_listen_address(some) == parse_listen_address(other);
}

bool is_exclusive(const ListenAddress& address) noexcept
{
    return address.kind == ListenAddress::Kind::unix_path ||
           address.kind == ListenAddress::Kind::unix_name || address.port != 0;
}

} // namespace usher
