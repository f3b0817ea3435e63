// SPDX-License-Identifier: MIT
#include "balancer/config/keys.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/units/duration.hpp"
#include "tests/support/pool_keys.hpp"
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace usher::schema_test {

using namespace usher::test;
using nlohmann::json;

namespace {

json schema()
{
    std::ifstream in{USHER_SOURCE_DIR "/docs/config.schema.json"};
    REQUIRE(in);
    return json::parse(in);
}

/// A file of the source tree.
std::string text_of(const std::string& path)
{
    std::ifstream in{USHER_SOURCE_DIR "/" + path};
    REQUIRE(in);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// The properties of one object of the schema.
json properties(const std::string& pointer)
{
    return schema().at(json::json_pointer{pointer}).at("properties");
}

std::set<std::string> names(const json& object)
{
    std::set<std::string> names;
    for (const auto& [name, value] : object.items())
        names.insert(name);
    return names;
}

/// The keys the decoder takes, which it lists when it is asked for one that is near to none.
std::set<std::string> decoder_keys(const std::string& text)
{
    const std::string error = error_of(text);
    const std::string mark = "use one of ";
    REQUIRE(error.find(mark) != std::string::npos);

    std::istringstream list{error.substr(error.find(mark) + mark.size())};
    std::set<std::string> keys;
    for (std::string key; list >> std::ws && std::getline(list, key, ',');)
        keys.insert(key);
    return keys;
}

/// The defaults as the decoder would read them.
json default_pool()
{
    return json::parse(dump_config({.pools = {PoolConfig{}}})).at("pools").at(0);
}

/// Checks the "default" of each property against `defaults`, and that none is missing.
void check_defaults(const json& schema_properties, const json& defaults)
{
    for (const auto& entry : defaults.items()) {
        const auto& name = entry.key();
        CAPTURE(name);
        const json& property = schema_properties.at(name);
        if (!property.contains("$ref")) // "restart" has its defaults inside
            CHECK(property.at("default") == entry.value());
    }
}

constexpr const char* top = "";
constexpr const char* pool = "/definitions/pool";
constexpr const char* listener = "/definitions/listener/oneOf/1";
constexpr const char* limit = "/definitions/limit/oneOf/1";
constexpr const char* output = "/definitions/output_file";
constexpr const char* probe = "/definitions/probe";
constexpr const char* restart = "/definitions/restart";
constexpr const char* reload = "/definitions/reload";
constexpr const char* bus = "/definitions/bus";
constexpr const char* store = "/definitions/store";
constexpr const char* hooks = "/definitions/hooks";
constexpr const char* node = "/definitions/node";
constexpr const char* watch = "/definitions/watch";

} // namespace

TEST_SUITE_BEGIN("config.schema.json");

TEST_CASE("the schema has exactly the keys which the decoder knows")
{
    CHECK(names(properties(top)) == decoder_keys(R"({"?": 1})"));
    CHECK(names(properties(pool)) == decoder_keys(pool_text(R"("?": 1)")));
    CHECK(names(properties(listener)) == decoder_keys(pool_text(R"("listen": {"?": 1})")));
    CHECK(names(properties(output)) == decoder_keys(pool_text(R"("output": {"?": 1})")));
    CHECK(names(properties(probe)) == decoder_keys(pool_text(R"("probe": {"?": 1})")));
    CHECK(names(properties(restart)) == decoder_keys(pool_text(R"("restart": {"?": 1})")));
    CHECK(names(properties(limit)) == decoder_keys(pool_text(R"("rlimits": {"cpu": {"?": 1}})")));
    CHECK(names(properties(pool).at("rlimits").at("properties")) ==
          decoder_keys(pool_text(R"("rlimits": {"?": 1})")));
    CHECK(names(properties(reload)) == decoder_keys(pool_text(R"("reload": {"?": 1})")));
    CHECK(names(properties(node)) == decoder_keys(pool_text(R"("node": {"?": 1})")));
    CHECK(names(properties(watch)) == decoder_keys(pool_text(R"("watch": {"?": 1})")));
    CHECK(names(properties(bus)) == decoder_keys(pool_text(R"("bus": {"?": 1})")));
    CHECK(names(properties(store)) == decoder_keys(pool_text(R"("store": {"?": 1})")));
    CHECK(names(properties(hooks)) == decoder_keys(pool_text(R"("on": {"?": 1})")));
}

TEST_CASE("every key is described")
{
    for (const char* object :
         {top, pool, listener, output, probe, restart, reload, node, watch, bus, store, hooks}) {
        const json members = properties(object);
        for (const auto& member : members.items()) {
            const auto& name = member.key();
            const auto& property = member.value();
            CAPTURE(name);
            CHECK((property.contains("description") || property.contains("$ref")));
        }
    }
}

TEST_CASE("every key has its line in docs/configuration.md")
{
    const auto page = text_of("docs/configuration.md");
    for (const char* object :
         {top, pool, listener, output, probe, restart, reload, node, watch, bus, store, hooks})
        for (const std::string& name : names(properties(object))) {
            CAPTURE(name);
            CHECK(page.find("\n| `" + name + "` | ") != std::string::npos);
        }
}

TEST_CASE("every key of a pool and of the master has an example in docs/operations.md")
{
    const auto page = text_of("docs/operations.md");
    const auto table = page.substr(page.find("## The keys, by what they are for"));
    for (const char* object : {top, pool, output, restart, reload, bus, store, hooks})
        for (const std::string& name : names(properties(object))) {
            CAPTURE(name);
            if (name != "pools") {
                CHECK(table.find("`" + name + "`") != std::string::npos);
                CHECK(table.find("\"" + name + "\": ") != std::string::npos);
            }
        }
}

TEST_CASE("docs/operations.md says of every key of a pool what a reload does with it")
{
    std::map<Effect, std::string> lists;
    for (const auto& [key, effect] : pool_keys())
        lists[effect] += (lists[effect].empty() ? "`" : ", `") + key + '`';
    const auto page = text_of("docs/operations.md");
    const auto has = [&](const std::string& what, Effect effect) {
        CAPTURE(what);
        CHECK(page.find("| " + what + " | " + lists[effect] + " |\n") != std::string::npos);
    };
    has("replaces the workers", Effect::new_workers);
    has("tells the workers there are, also those that drain", Effect::running_workers);
    has("opens, closes or changes listeners", Effect::listeners);
    has("goes by it itself from now on", Effect::master);
}

TEST_CASE("the schema has the defaults of the structs")
{
    auto master = json::parse(dump_config({.pools = {PoolConfig{}}}));
    master.erase("pools");
    check_defaults(properties(top), master);
    check_defaults(properties(pool), default_pool());
    check_defaults(properties(restart), default_pool().at("restart"));
    check_defaults(properties(reload), default_pool().at("reload"));
    check_defaults(properties(bus), default_pool().at("bus"));
    auto stored = default_pool().at("store");
    stored.erase("persist"); // none
    check_defaults(properties(store), stored);
    check_defaults(properties(node), default_pool().at("node"));
    CHECK(properties(watch).at("delay").at("default") == format_duration(WatchConfig{}.delay));
    const json file =
        json::parse(dump_config({.pools = {{.output = {.kind = OutputConfig::Kind::file}}}}))
            .at("pools")
            .at(0)
            .at("output");
    for (const char* name : {"max_size", "max_files", "on_full", "format", "prefix"}) {
        CAPTURE(name);
        CHECK(properties(output).at(name).at("default") == file.at(name));
    }
    CHECK(properties(probe).at("expect").at("default") == ProbeConfig{}.expect);
    CHECK(properties(probe).at("timeout").at("default") == format_duration(ProbeConfig{}.timeout));
    CHECK(properties(listener).at("v6only").at("default") == ListenConfig{}.v6only);
}

TEST_CASE("the ranges of the schema are those of the decoder")
{
    const auto check = [](const std::string& name, const json& range, const auto& error) {
        CAPTURE(name);
        const auto least = range.at("minimum").get<long>();
        const auto most = range.at("maximum").get<long>();
        const auto member = [&](long n) { return '"' + name + "\": " + std::to_string(n); };
        CHECK(error(member(least)) == "no error");
        CHECK(error(member(most)) == "no error");
        CHECK(error(member(least - 1)) != "no error");
        CHECK(error(member(most + 1)) != "no error");
    };
    const auto restart_error = [](const std::string& member) {
        return pool_error("\"restart\": {" + member + "}");
    };

    const json members = properties(pool);
    for (const auto& [name, property] : members.items())
        if (property.contains("minimum"))
            check(name, property, pool_error);
    check("workers", properties(pool).at("workers").at("oneOf").at(0), pool_error);
    check("max_memory", properties(pool).at("max_memory").at("oneOf").at(0), pool_error);
    const auto output_error = [](const std::string& member) {
        return pool_error(R"("output": {"file": "a", )" + member + "}");
    };
    check("max_files", properties(output).at("max_files"), output_error);
    check("max_size", properties(output).at("max_size").at("oneOf").at(0), output_error);
    const auto probe_error = [](const std::string& member) {
        return pool_error(R"("probe": {"path": "/", )" + member + "}");
    };
    check("expect", properties(probe).at("expect"), probe_error);
    check("give_up_after", properties(restart).at("give_up_after"), restart_error);

    const auto reload_error = [](const std::string& member) {
        return pool_error("\"reload\": {\"max_unavailable\": 1, " + member + "}");
    };
    check("window", properties(node).at("window"),
          [](const std::string& member) { return pool_error("\"node\": {" + member + "}"); });
    for (const char* name : {"max_surge", "max_old_generations"})
        check(name, properties(reload).at(name), reload_error);
}

TEST_CASE("the patterns of the schema take what the decoder takes")
{
    const auto check = [](const json& pattern, const std::string& member,
                          const std::vector<std::string>& texts) {
        const std::regex regex{pattern.get<std::string>(), std::regex::ECMAScript};
        for (const std::string& text : texts) {
            CAPTURE(text);
            const std::string value = '"' + text + '"';
            const bool is_taken =
                pool_error(std::regex_replace(member, std::regex{"\\?"}, value)) == "no error";
            CHECK(std::regex_search(text, regex) == is_taken);
        }
    };
    const json definitions = schema().at("definitions");
    const std::vector<std::string> durations{"1ms", "30s", "0s", "00m", "010h", "1d",
                                             "30",  "s",   "",   "1y",  "-1s",  "1.5s"};
    check(definitions.at("duration").at("pattern"), R"("stop_grace": ?)", durations);
    check(definitions.at("positive_duration").at("pattern"), R"("start_timeout": ?)", durations);
    check(definitions.at("address").at("pattern"), R"("listen": ?)",
          {"8000", "*:80", "127.0.0.1:80", "[::]:0", "localhost:0", "unix:a", "unix:", "unix:@",
           "unix:@a", "", "::1", "http://a:80", "localhost", ":80", "[::]"});
    check(definitions.at("byte_size").at("pattern"), R"("output": {"file": "a", "max_size": ?})",
          {"1KiB", "10MiB", "01GiB", "0KiB", "10", "10MB", "KiB", "", "-1KiB", "1.5MiB"});
    check(properties(listener).at("mode").at("pattern"),
          R"("listen": {"address": "unix:a", "mode": ?})",
          {"0", "660", "0660", "00777", "1000", "8", "", "0o660"});
    check(properties(listener).at("name").at("pattern"),
          R"("listen": {"address": "80", "name": ?})",
          {"a", "A z!~.socket", "", "a:b", std::string(255, 'x'), std::string(256, 'x')});
    check(properties(probe).at("path").at("pattern"), R"("probe": {"path": ?})",
          {"/", "/health", "/a?b=c&d=e", "", "health", "http://a/", "/a b", "/\x7f", "/ä"});
    check(properties(pool).at("umask").at("pattern"), R"("umask": ?)",
          {"0", "27", "0027", "00777", "1000", "8", "", "0o27"});
    check(properties(pool).at("name").at("pattern"), R"("name": ?)",
          {"a", "A-z_0.9", "", "a b", std::string(64, 'x'), std::string(65, 'x')});
    check(definitions.at("signal").at("pattern"), R"("stop_signal": ?)",
          {"TERM", "SIGTERM", "term", "STOP", "USR1", "SIG", "", "15"});
    check(properties(pool).at("env").at("propertyNames").at("pattern"), R"("env": {?: ""})",
          {"A", "USHER", "USHER_", "USHER_X", "XUSHER_", "A=B", ""});
}

TEST_CASE("where the schema has a number, true or false, it takes a variable as the decoder does")
{
    ::setenv("SCHEMA_TEST_NUMBER", "1", 1);
    ::setenv("SCHEMA_TEST_BOOLEAN", "true", 1);
    std::size_t tried = 0;
    const json members = properties(pool);
    for (const auto& member : members.items()) {
        const auto& name = member.key();
        const auto& property = member.value();
        const auto& kind = property.contains("oneOf") ? property.at("oneOf").at(0) : property;
        const bool is_number = kind.contains("minimum");
        if (!is_number && kind.value("type", json()) != json::array({"boolean", "string"}))
            continue;
        CAPTURE(name);
        const std::regex regex{kind.at("pattern").get<std::string>(), std::regex::ECMAScript};
        for (const std::string suffix : {"}", ":-1}"}) {
            const auto text =
                (is_number ? "${SCHEMA_TEST_NUMBER" : "${SCHEMA_TEST_BOOLEAN") + suffix;
            CHECK(pool_error(fmt::format(R"("{}": "{}")", name, text)) == "no error");
            CHECK(std::regex_search(text, regex));
        }
        for (const std::string text : {"1", "true", "x${A}", "${A}x", "${}"})
            CHECK_FALSE(std::regex_search(text, regex));
        ++tried;
    }
    CHECK(tried > 10);
    for (const auto* const type : {"duration", "positive_duration", "address"}) {
        const std::regex regex{schema().at("definitions").at(type).at("pattern").get<std::string>(),
                               std::regex::ECMAScript};
        CHECK(std::regex_search(std::string{"127.0.0.1:${PORT:-1s}"}, regex));
    }
}

TEST_CASE("every key of a pool is one of the table, and what is brought in is what runs may follow")
{
    std::set<std::string> keys;
    for (const auto& [key, effect] : pool_keys())
        keys.insert(key.substr(0, key.find('/')));
    CHECK(keys == names(properties(pool)));

    const auto changed = pool_of(R"("name": "b", "max_queue": 1, "probe": {"path": "/"}, "nice": 1,
        "node": {"window": 2}, "workers": 9, "stop_signal": "KILL")");
    PoolConfig running;
    bring_in(running, changed);
    PoolConfig expected;
    expected.max_queue = 1;
    expected.probe = ProbeConfig{.path = "/"};
    expected.stop_signal = SIGKILL;
    CHECK(running == expected);
    bring_in(running, PoolConfig{});
    CHECK(running == PoolConfig{});
}

TEST_CASE("only what needs no new workers keeps them, and a file that says nothing new does not")
{
    const auto keeps = [](const std::string& members) {
        return keeps_workers(ResolvedPool{}, ResolvedPool{pool_of(members), {}});
    };
    CHECK_FALSE(keeps(""));
    CHECK_FALSE(keeps(R"("workers": 5)"));
    CHECK(keeps(R"("workers": 5, "max_queue": 5)"));
    CHECK(keeps(R"("listen": "80")"));
    CHECK(keeps(R"("node": {"window": 5})"));
    CHECK_FALSE(keeps(R"("node": {"window": 5, "ready": "online"})"));
    CHECK_FALSE(keeps(R"("max_queue": 5, "nice": 5)"));
}

TEST_SUITE_END();

} // namespace usher::schema_test
