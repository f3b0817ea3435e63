// SPDX-License-Identifier: MIT
#include "balancer/command/bus_question.hpp"

#include "balancer/store/json_members.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>

#include <charconv>
#include <map>
#include <utility>

namespace usher {

namespace {

using Kind = BusQuestion::Kind;

BusQuestion::Answer complain(std::string text)
{
    return {.complaint = std::move(text), .end = ExitCode::failed};
}

} // namespace

/// A line's members by name, as JSON.
class BusQuestion::Members {
public:
    explicit Members(std::string_view line)
    {
        if (!is_json_object(line))
            return;
        JsonMembers members{line};
        while (members.next())
            members_.emplace(members.name(), members.value());
    }

    [[nodiscard]] std::string_view json(std::string_view name) const
    {
        const auto found = members_.find(name);
        return found == members_.end() ? std::string_view{} : found->second;
    }

    [[nodiscard]] std::uint64_t number(std::string_view name) const
    {
        std::uint64_t number = 0;
        const auto digits = json(name);
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        return number;
    }

    [[nodiscard]] std::string text(std::string_view name) const
    {
        return json_text(json(name)).value_or("");
    }

private:
    std::map<std::string_view, std::string_view> members_;
};

std::vector<std::string> BusQuestion::lines() const
{
    std::string more;
    if (ttl)
        more += fmt::format(",\"ttl_ms\":{}", ttl->count());
    if (expected)
        more += fmt::format(",\"expected\":{}", *expected);
    switch (kind) {
    case Kind::publish:
        return {fmt::format("{{\"type\":\"publish\",\"id\":1,\"topic\":{},\"data\":{}}}",
                            json_quote(topics.front()), json)};
    case Kind::request:
        return {fmt::format(
            "{{\"type\":\"request\",\"id\":1,\"topic\":{},\"timeout_ms\":{},\"data\":{}}}",
            json_quote(topics.front()), timeout.count(), json)};
    case Kind::subscribe: {
        std::vector<std::string> lines;
        for (const auto& pattern : topics)
            lines.push_back(
                fmt::format("{{\"type\":\"subscribe\",\"pattern\":{}}}", json_quote(pattern)));
        return lines;
    }
    case Kind::get:
        return {fmt::format("{{\"type\":\"get\",\"id\":1,\"key\":{}}}", json_quote(key))};
    case Kind::put:
        return {fmt::format("{{\"type\":\"put\",\"id\":1,\"key\":{},\"value\":{}{}}}",
                            json_quote(key), json, more)};
    case Kind::erase:
        return {fmt::format("{{\"type\":\"erase\",\"id\":1,\"key\":{}{}}}", json_quote(key), more)};
    case Kind::increment:
        return {fmt::format("{{\"type\":\"increment\",\"id\":1,\"key\":{},\"by\":{}{}}}",
                            json_quote(key), by, more)};
    case Kind::watch:
    case Kind::dump:
        return {R"({"type":"sync"})"};
    }
    return {};
}

BusQuestion::Answer BusQuestion::hear(std::string_view line)
{
    const Members members{line};
    const auto type = members.text("type");
    Answer answer;
    if (type == "error") {
        const auto reason = members.text("reason");
        return complain(reason.empty() ? std::string{line} : reason);
    }
    if (type == "lost")
        answer.complaint = fmt::format("{} messages were lost here, because they are not read fast "
                                       "enough",
                                       members.json("count"));
    else if (type == "message" && kind == Kind::subscribe)
        answer.text = fmt::format("{} {} {}", members.text("topic"), members.text("from"),
                                  members.json("data"));
    else if (type == "reply" && members.json("error").empty()) {
        ++good_;
        answer.text = fmt::format("{} {}", members.text("from"), members.json("data"));
    } else if (type == "reply")
        answer.text = fmt::format("{} error: {}", members.text("from"), members.text("error"));
    else if (type == "done")
        answer = hear_done(members);
    else if (type == "ok")
        answer = hear_ok(members);
    else if (type == "snapshot") { // perhaps in place of changes that are no longer known
        is_synced_ = false;
        kept_.clear();
    } else if (type == "synced")
        answer = hear_synced(members, line);
    else if ((type == "set" || type == "erased") && members.text("key").starts_with(key)) {
        auto text = fmt::format("{} {}", members.json("key"),
                                type == "set" ? members.json("value") : "erased");
        if (kind == Kind::dump)
            keep(members, is_raw ? std::string{line} : std::move(text));
        else if (kind == Kind::watch && is_news(members))
            answer.text = std::move(text);
    }
    if (is_raw && kind != Kind::dump && (!answer.text.empty() || answer.end))
        answer.text = line;
    const bool counts = !answer.text.empty() && (kind == Kind::subscribe || kind == Kind::watch);
    if (counts && ++heard_ == count)
        answer.end = ExitCode::done;
    return answer;
}

BusQuestion::Answer BusQuestion::hear_done(const Members& members) const
{
    Answer answer{.end = good_ < least ? ExitCode::failed : ExitCode::done};
    if (const auto missing = members.json("missing"); missing != "[]")
        answer.complaint = fmt::format("no answer from {}", missing);
    else if (members.json("replies") == "0")
        answer.complaint = fmt::format("nobody has subscribed to {}", topics.front());
    else if (good_ == 0)
        answer.complaint = "each answer is an error";
    else if (good_ < least)
        answer.complaint = fmt::format("{} without an error, but {} were expected",
                                       counted(good_, "answer"), least);
    return answer;
}

BusQuestion::Answer BusQuestion::hear_ok(const Members& members) const
{
    Answer answer{.end = ExitCode::done};
    if (kind == Kind::publish)
        answer.text = fmt::format("{} got it", members.json("receivers"));
    else if (kind == Kind::get && members.json("value").empty())
        return complain(fmt::format("there is no key \"{}\"", key));
    else if (kind == Kind::get || kind == Kind::increment)
        answer.text = members.json("value");
    else if (kind == Kind::put)
        answer.text = fmt::format("revision {}", members.json("revision"));
    return answer;
}

/// The newest of each key: while the copy is sent, changes come among its entries.
void BusQuestion::keep(const Members& members, std::string line)
{
    const auto name = members.text("key");
    const auto revision = members.number("revision");
    if (const auto found = kept_.find(name);
        found != kept_.end() && found->second.revision > revision)
        return;
    if (members.text("type") == "erased")
        kept_.erase(name);
    else
        kept_.insert_or_assign(name, Kept{.revision = revision, .line = std::move(line)});
}

/// What there was at the beginning is none, nor what a copy that began anew has once more.
bool BusQuestion::is_news(const Members& members)
{
    const auto revision = members.number("revision");
    if (!had_copy_ || revision <= seen_)
        return false;
    if (!is_synced_)
        return told_.insert(revision).second;
    seen_ = revision;
    return true;
}

BusQuestion::Answer BusQuestion::hear_synced(const Members& members, std::string_view line)
{
    had_copy_ = true;
    is_synced_ = true;
    seen_ = members.number("revision");
    told_.clear();
    if (kind != Kind::dump)
        return {};
    Answer answer{.end = ExitCode::done};
    for (const auto& [name, kept] : kept_)
        answer.text += kept.line + '\n';
    if (is_raw)
        answer.text += line;
    return answer;
}

} // namespace usher
