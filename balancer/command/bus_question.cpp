// SPDX-License-Identifier: MIT
#include "balancer/command/bus_question.hpp"

#include "balancer/store/json_members.hpp"

#include <fmt/core.h>

#include <map>

namespace usher {

namespace {

using Kind = BusQuestion::Kind;

/// A line's members by name, as JSON.
class BusMembers {
public:
    explicit BusMembers(std::string_view line)
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

    [[nodiscard]] std::string text(std::string_view name) const
    {
        return json_text(json(name)).value_or("");
    }

private:
    std::map<std::string_view, std::string_view> members_;
};

BusQuestion::Answer complain(std::string text)
{
    return {.complaint = std::move(text), .end = ExitCode::failed};
}

} // namespace

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
    const BusMembers members{line};
    const auto type = members.text("type");
    if (type == "error") {
        const auto code = members.text("code");
        const auto reason = members.text("reason");
        return complain(reason.empty() ? std::string{line} : reason);
    }
    Answer answer;
    if (type == "lost")
        answer.complaint = fmt::format("{} messages were lost here, because they are not read fast "
                                       "enough",
                                       members.json("count"));
    else if (type == "message" && kind == Kind::subscribe)
        answer.text = fmt::format("{} {} {}", members.text("topic"), members.text("from"),
                                  members.json("data"));
    else if (type == "reply")
        answer.text =
            members.json("error").empty()
                ? fmt::format("{} {}", members.text("from"), members.json("data"))
                : fmt::format("{} error: {}", members.text("from"), members.text("error"));
    else if (type == "done") {
        const auto missing = members.json("missing");
        answer.end =
            members.json("replies") == "0" || missing != "[]" ? ExitCode::failed : ExitCode::done;
        if (missing != "[]")
            answer.complaint = fmt::format("no answer from {}", missing);
        else if (members.json("replies") == "0")
            answer.complaint = fmt::format("nobody has subscribed to {}", topics.front());
    } else if (type == "ok") {
        answer.end = ExitCode::done;
        if (kind == Kind::publish)
            answer.text = fmt::format("{} got it", members.json("receivers"));
        else if (kind == Kind::get && members.json("value").empty())
            return complain(fmt::format("there is no key \"{}\"", key));
        else if (kind == Kind::get || kind == Kind::increment)
            answer.text = members.json("value");
        else if (kind == Kind::put)
            answer.text = fmt::format("revision {}", members.json("revision"));
    } else if (type == "synced") {
        is_synced_ = true;
        if (kind == Kind::dump)
            answer.end = ExitCode::done;
    } else if ((type == "set" || type == "erased") && (kind == Kind::watch || kind == Kind::dump) &&
               members.text("key").starts_with(key) && (kind == Kind::dump || is_synced_)) {
        answer.text = type == "set"
                          ? fmt::format("{} {}", members.json("key"), members.json("value"))
                          : fmt::format("{} {}", members.json("key"), "erased");
    }
    if (is_raw && (!answer.text.empty() || answer.end))
        answer.text = line;
    const bool counts = !answer.text.empty() && (kind == Kind::subscribe || kind == Kind::watch);
    if (counts && ++heard_ == count)
        answer.end = ExitCode::done;
    return answer;
}

} // namespace usher
