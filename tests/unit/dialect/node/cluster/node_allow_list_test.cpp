// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_allow_list.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

namespace {

int lookups = 0;

} // namespace

/// In place of libc's, which does the work.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** result)
{
    ++lookups;
    static const auto real =
        reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(host, service, hints, result);
}

namespace usher::node_allow_list_test {

namespace {

ServerRequest for_path(std::string path)
{
    return {.address = std::move(path), .is_path = true, .port = -1};
}

ResolvedPool pool_listening(const std::string& address)
{
    ResolvedPool pool;
    pool.listen = {{.address = address}};
    return pool;
}

ResolvedPool pool_of(uid_t user)
{
    ResolvedPool pool;
    pool.run_as.user = "somebody";
    pool.account.user = user;
    return pool;
}

bool allows(const ResolvedPool& pool, const ServerRequest& request)
{
    return NodeAllowList{pool}.refusal(request, pool).empty();
}

} // namespace

TEST_SUITE_BEGIN("node_allow_list");

TEST_CASE("names that are known are not looked up: that may take its time")
{
    ResolvedConfig config;
    config.pools = {pool_listening("localhost:80")};
    const HostAddresses names{config};
    CHECK(lookups > 0);
    lookups = 0;
    const NodeAllowList allowed{config.pools.front(), names};
    CHECK(lookups == 0);
    CHECK(allowed.refusal({.address = "localhost", .port = 80}, config.pools.front()).empty());
    CHECK(allowed.refusal({.address = "127.0.0.1", .port = 80}, config.pools.front()).empty());
    CHECK_FALSE(
        allowed.refusal({.address = "127.0.0.2", .port = 80}, config.pools.front()).empty());
    CHECK_FALSE(
        allowed.refusal({.address = "127.0.0.1", .port = 81}, config.pools.front()).empty());
}

TEST_CASE("a path is allowed however it is written, if it is absolute")
{
    const auto pool = pool_listening("unix:/run/a/s");
    CHECK(allows(pool, for_path("/run/a/s")));
    CHECK(allows(pool, for_path("/run//a/../a/./s")));
    CHECK_FALSE(allows(pool, for_path("/run/a/t")));
    CHECK_FALSE(allows(pool, {.port = 80}));
    for (const char* const path : {"", "s", "run/a/s", "./run/a/s"})
        CHECK_FALSE(allows(pool, for_path(path)));
    CHECK_FALSE(allows(pool, {.is_path = true}));
}

TEST_CASE("an abstract name is allowed wherever the worker runs, and is no path")
{
    using namespace std::string_literals;
    const auto pool = pool_listening("unix:@a");
    CHECK(allows(pool, for_path("/folder/\0a"s)));
    CHECK(allows(pool, for_path("\0a"s)));
    for (const auto& other :
         {"/folder/\0b"s, "/folder/\0a\0"s, "/folder/\0"s, "/folder/a"s, "@a"s, "a"s})
        CHECK_FALSE(allows(pool, for_path(other)));
    CHECK_FALSE(allows(pool, {.port = 80}));
    CHECK_FALSE(allows(pool_listening("unix:/a"), for_path("/\0/a"s)));
    CHECK_FALSE(allows(pool_listening("80"), for_path("/\0a"s)));
}

TEST_CASE("workers of usher's own user may listen everywhere, unless listen says where")
{
    const auto pool = pool_of(::geteuid());
    CHECK(allows(pool, for_path("/run/a/s")));
    CHECK(allows(pool, {.port = 80}));
    CHECK(allows(pool, {.port = -1, .fd = 3}));
}

TEST_CASE("which socket is the pool's: the one on its port, else the first, if it has one place")
{
    const auto where = [](const std::vector<std::string>& listen, const ServerRequest& request,
                          bool is_first) {
        ResolvedPool pool;
        for (const auto& address : listen)
            pool.listen.push_back({.address = address});
        return describe(NodeAllowList{pool}.place_of(request, is_first));
    };
    const std::vector<std::string> one{"127.0.0.1:8000"};
    const std::vector<std::string> two{"127.0.0.1:8000", "*:9000"};
    struct Row {
        std::vector<std::string> listen;
        ServerRequest request;
        bool is_first;
        const char* place;
    };
    const ServerRequest udp{.kind = ServerRequest::Kind::datagram4, .port = 8000};
    for (const auto& row : {
             Row{one, {.port = 8000}, true, "127.0.0.1:8000"},
             Row{one, {.port = 8000}, false, "127.0.0.1:8000"},
             Row{one, {.address = "0.0.0.0", .port = 8000}, true, "127.0.0.1:8000"},
             Row{one, {.address = "127.0.0.1", .port = 8000}, false, "127.0.0.1:8000"},
             Row{one, {.port = 3000}, true, "127.0.0.1:8000"},
             Row{one, {.port = 3000}, false, "port 3000"}, // which is refused
             Row{one, {.port = 0}, true, "127.0.0.1:8000"},
             Row{one, udp, true, "port 8000 (UDP)"},
             Row{one, for_path("/s"), true, "unix:/s"},
             Row{{}, {.port = 3000}, true, "port 3000"},
             Row{two, {.port = 8000}, true, "127.0.0.1:8000"},
             Row{two, {.port = 9000}, true, "port 9000"},
             Row{two, {.address = "10.0.0.1", .port = 9000}, true, "10.0.0.1:9000"}, // allowed
             Row{two, {.port = 3000}, true, "port 3000"},
             Row{{"unix:/s"}, {.port = 3000}, true, "port 3000"},
             Row{{"*:8000"}, {.address = "10.0.0.1", .port = 3000}, true, "port 8000"},
         }) {
        CAPTURE(describe(row.request));
        CAPTURE(row.is_first);
        CHECK(where(row.listen, row.request, row.is_first) == row.place);
    }
}

TEST_CASE("sockets that usher was started with are for its own user, unless the key says otherwise")
{
    const ServerRequest inherited{.port = -1, .fd = 3};
    auto pool = pool_of(::geteuid() + 1);
    CHECK(NodeAllowList{pool}.refusal(inherited, pool) ==
          "it runs as user \"somebody\"; let \"allow_inherited\" of \"node\" say so");
    pool.node.allow_inherited = true;
    CHECK(allows(pool, inherited));
    CHECK_FALSE(allows(pool, {.port = 80}));

    auto listed = pool_listening("80");
    CHECK_FALSE(allows(listed, inherited));
    listed.node.allow_inherited = true;
    CHECK(allows(listed, inherited));
}

TEST_CASE("workers of another user get no files and low ports, unless listen says so")
{
    auto pool = pool_of(::geteuid() + 1);
    for (const auto kind : {ServerRequest::Kind::stream, ServerRequest::Kind::datagram4}) {
        for (const int port : {1, 80, 1023})
            CHECK_FALSE(allows(pool, {.kind = kind, .port = port}));
        for (const int port : {0, 1024, 8000})
            CHECK(allows(pool, {.kind = kind, .port = port}));
    }
    CHECK_FALSE(allows(pool, for_path("/run/a/s")));
    // During a reload the list is still the old workers'.
    CHECK_FALSE(NodeAllowList{pool_of(::geteuid())}.refusal({.port = 80}, pool).empty());
    CHECK(NodeAllowList{pool}
              .refusal({.port = 80}, pool)
              .starts_with("it runs as user \"somebody\""));

    pool.listen = {{.address = "80"}, {.address = "unix:/run/a/s"}};
    CHECK(allows(pool, {.port = 80}));
    CHECK(allows(pool, for_path("/run/a/s")));
    CHECK_FALSE(allows(pool, {.port = 8000}));
}

TEST_CASE("what a worker asks for fits into a line of the log")
{
    CHECK(describe(for_path("/run/a/s")) == "unix:/run/a/s");
    CHECK(describe({.address = "::1", .port = 80}) == "[::1]:80");
    CHECK(describe(for_path("/a\nb\x1b")) == "unix:/a\\nb\\u001b");
    CHECK(describe(for_path("/" + std::string(100'000, 'x'))).size() < 250);
    CHECK(describe({.address = std::string(100'000, '\n'), .port = 80}).size() < 450);
}

TEST_SUITE_END();

} // namespace usher::node_allow_list_test
