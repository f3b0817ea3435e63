// SPDX-License-Identifier: MIT
#include "balancer/command/bus_options.hpp"

#include "balancer/bus/topic.hpp"
#include "balancer/command/common_options.hpp"
#include "balancer/store/json_members.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <chrono>
#include <limits>
#include <vector>

namespace usher {

namespace {

using Kind = BusQuestion::Kind;

template <typename Use>
void add_time(CLI::App& part, const std::string& name, Use use, const std::string& description)
{
    part.add_option_function<std::string>(
            name, [use, name](const std::string& word) { use(parse_positive_time(name, word)); },
            description)
        ->option_text("TIME");
}

} // namespace

BusOptions::BusOptions(CLI::App& app, std::optional<Command>& result) : result_{result}
{
    add_publish(app);
    add_subscribe(app);
    add_request(app);
    add_store(app);
}

void BusOptions::add_publish(CLI::App& app)
{
    auto& part = add(app, "publish", Kind::publish,
                     "send a message to the workers that have subscribed to its topic");
    add_topic(part);
    add_json(part, "the message; -: what stands on the standard input");
    add_timeout(part);
}

void BusOptions::add_subscribe(CLI::App& app)
{
    auto& part =
        add(app, "subscribe", Kind::subscribe, "show the messages of a topic, until interrupted");
    part.add_option_function<std::vector<std::string>>(
            "PATTERN",
            [this](const std::vector<std::string>& patterns) {
                for (const auto& pattern : patterns)
                    if (!is_pattern(pattern))
                        refuse("{} is no pattern, which is {}; write e.g. 'cache.*'",
                               quote(pattern), pattern_rule);
                question_.topics = patterns;
            },
            "a topic, in which * may stand for a word and > at the end\nfor the rest; several: all "
            "of them")
        ->required();
    add_count(part);
    add_timeout(part);
}

void BusOptions::add_request(CLI::App& app)
{
    auto& part =
        add(app, "request", Kind::request, "ask all workers that have subscribed to a topic");
    add_topic(part);
    add_json(part, "the question; -: what stands on the standard input");
    add_time(
        part, "--timeout", [this](std::chrono::milliseconds time) { question_.timeout = time; },
        "how long they may take for their answers (default 5s)");
    part.add_option_function<std::string>(
            "--expect",
            [this](const std::string& word) {
                question_.least = parse_whole<std::uint64_t>("--expect", word, 1);
            },
            "fail unless so many answer without an error (default 1)")
        ->option_text("N");
}

void BusOptions::add_store(CLI::App& app)
{
    auto& store = *app.add_subcommand("store", "read and change what workers share");
    store.require_subcommand(1);
    add_control_path(store, asked_.path);

    auto& to_get = add(store, "get", Kind::get, "show the value of a key");
    add_key(to_get);
    add_timeout(to_get);

    auto& to_put = add(store, "put", Kind::put, "give a key a value");
    add_key(to_put);
    add_json(to_put, "the value; -: what stands on the standard input");
    add_expected(to_put);
    add_ttl(to_put);
    add_timeout(to_put);

    auto& to_erase = add(store, "erase", Kind::erase, "remove a key");
    add_key(to_erase);
    add_expected(to_erase);
    add_timeout(to_erase);

    auto& to_increment = add(store, "increment", Kind::increment, "add to a number");
    add_key(to_increment);
    to_increment.add_option_function<std::string>(
        "N",
        [this](const std::string& word) {
            question_.by =
                parse_whole<std::int64_t>("N", word, std::numeric_limits<std::int64_t>::min());
        },
        "how much (default 1)");
    add_ttl(to_increment);
    add_timeout(to_increment);

    auto& to_watch = add(store, "watch", Kind::watch, "show changes, until interrupted");
    add_prefix(to_watch);
    add_count(to_watch);
    add_timeout(to_watch);

    auto& to_dump = add(store, "dump", Kind::dump, "show all keys and their values");
    add_prefix(to_dump);
    add_timeout(to_dump);
}

CLI::App& BusOptions::add(CLI::App& parent, const std::string& name, Kind kind,
                          const std::string& description)
{
    auto& part = *parent.add_subcommand(name, description);
    add_control_path(part, asked_.path);
    add_value(part, "--pool", asked_.request.pool, "NAME",
              "on the bus of which pool, where there are several");
    part.add_flag("--json", question_.is_raw, "show what the master sends as it is");
    part.footer(fmt::format("{}{}", exit_codes, control_exit_codes));
    part.callback([this, kind] { finish(kind); });
    return part;
}

/// All options are known.
void BusOptions::finish(Kind kind)
{
    question_.kind = kind;
    asked_.request.command = Request::Command::bus;
    for (const auto& line : question_.lines())
        asked_.request.message += line + '\n';
    asked_.question = question_;
    if (kind == Kind::request) // the master ends it then, unless it hangs
        asked_.timeout = question_.timeout + std::chrono::seconds{5};
    result_ = asked_;
}

void BusOptions::add_topic(CLI::App& part)
{
    part.add_option_function<std::string>(
            "TOPIC",
            [this](const std::string& topic) {
                if (!is_topic(topic))
                    refuse("{} is no topic, which is {}; write e.g. cache.clear", quote(topic),
                           topic_rule);
                question_.topics = {topic};
            },
            "words joined by dots")
        ->required();
}

void BusOptions::add_json(CLI::App& part, const std::string& description)
{
    part.add_option_function<std::string>(
            "JSON|-", [this](const std::string& word) { question_.json = make_message(word); },
            description)
        ->required();
}

CLI::Option& BusOptions::add_key_text(CLI::App& part, const char* name, const char* text)
{
    return *part.add_option_function<std::string>(
        name,
        [this, name](const std::string& key) {
            if (!is_utf8(key))
                refuse("{}: is {}, which is no UTF-8, as keys are", name, quote(key));
            question_.key = key;
        },
        text);
}

void BusOptions::add_key(CLI::App& part)
{
    add_key_text(part, "KEY", "which key").required();
}

void BusOptions::add_prefix(CLI::App& part)
{
    add_key_text(part, "PREFIX", "only of keys that begin like this");
}

void BusOptions::add_count(CLI::App& part)
{
    part.add_option_function<std::string>(
            "--count",
            [this](const std::string& word) {
                question_.count = parse_whole<std::uint64_t>("--count", word, 1);
            },
            "end after so many")
        ->option_text("N");
}

void BusOptions::add_expected(CLI::App& part)
{
    part.add_option_function<std::string>(
            "--expect",
            [this](const std::string& word) {
                question_.expected = parse_whole<std::uint64_t>("--expect", word, 0);
            },
            "only if the key has this revision; 0: if it is not there")
        ->option_text("REVISION");
}

void BusOptions::add_ttl(CLI::App& part)
{
    add_time(
        part, "--ttl", [this](std::chrono::milliseconds time) { question_.ttl = time; },
        "it goes after that time, e.g. 30s");
}

void BusOptions::add_timeout(CLI::App& part)
{
    add_time(
        part, "--timeout", [this](std::chrono::milliseconds time) { asked_.timeout = time; },
        "how long to wait for the answer, e.g. 30s or 500ms");
}

} // namespace usher
