// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_router.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "balancer/bus/bus_text.hpp"
#include "balancer/bus/topic.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

namespace usher {

namespace {

/// True if others hear the line's topic; else it has none, or a pattern.
bool is_for_others(BusLine::Type type) noexcept
{
    return type == BusLine::Type::publish || type == BusLine::Type::send ||
           type == BusLine::Type::request;
}

Outbox::Line shared_line(std::string line)
{
    return std::make_shared<const std::string>(std::move(line));
}

std::optional<std::chrono::milliseconds> duration_of(std::optional<std::uint64_t> milliseconds)
{
    // A century is as good as never, and can be added to any time there is.
    constexpr std::uint64_t century = 100ULL * 365 * 24 * 3600 * 1000;
    if (!milliseconds)
        return std::nullopt;
    return std::chrono::milliseconds{std::min(*milliseconds, century)};
}

Store::Command::Kind kind_of(BusLine::Type type)
{
    switch (type) {
    case BusLine::Type::erase:
        return Store::Command::Kind::erase;
    case BusLine::Type::increment:
        return Store::Command::Kind::increment;
    default:
        return Store::Command::Kind::put;
    }
}

} // namespace

BusRouter::BusRouter(std::string group, const Store& store, Change change)
    : group_{std::move(group)}, store_{store}, change_{std::move(change)}
{
}

BusRouter::Member BusRouter::join(BusIdentity who, const BusConfig& limits,
                                  std::function<void()> on_output)
{
    const auto member = who.slot == 0 ? ++last_outside_ : who.worker;
    members_.emplace(member, std::make_unique<Place>(std::move(who), limits, std::move(on_output)));
    return member;
}

void BusRouter::leave(Member member)
{
    const auto found = members_.find(member);
    if (found == members_.end())
        return;
    const auto place = std::move(found->second);
    members_.erase(found);
    for (const auto& pattern : place->patterns)
        subscriptions_.remove(pattern, member);
    for (const auto& request : requests_.on_leave(member))
        tell_done(request);
    // It cannot be told any more; while its process lives it may still believe to be the leader.
    if (const auto election = elections_.find(place->who.pool); election != elections_.end())
        static_cast<void>(election->second.on_leaving(member));
}

void BusRouter::on_leaving(const BusIdentity& who)
{
    if (const auto found = members_.find(who.worker); found != members_.end())
        found->second->is_leaving = true;
    if (const auto election = elections_.find(who.pool); election != elections_.end())
        tell(election->second.on_leaving(who.worker));
}

void BusRouter::on_ended(const BusIdentity& who)
{
    leave(who.worker);
    if (const auto election = elections_.find(who.pool); election != elections_.end())
        tell(election->second.on_ended(who.worker));
}

std::uint64_t BusRouter::lost(Member member) const
{
    const auto found = members_.find(member);
    return found == members_.end() ? 0 : found->second->outbox.lost();
}

void BusRouter::on_line(Member member, std::string_view line, Clock::time_point now)
{
    const auto found = members_.find(member);
    if (found == members_.end())
        return;
    const auto decoded = decode_bus_line(line);
    if (const auto* error = std::get_if<BusError>(&decoded))
        return refuse(member, *error);
    found->second->has_spoken = true;
    if (const auto& wanted = std::get<BusLine>(decoded);
        is_for_others(wanted.type) && is_reserved_topic(wanted.topic))
        return refuse(member, {.id = wanted.id,
                               .code = "forbidden",
                               .reason = "topics that begin with usher. are the master's"});
    carry_out(member, *found->second, std::get<BusLine>(decoded), now);
}

void BusRouter::refuse(Member member, const BusError& error)
{
    answer(member, encode_error(error));
}

void BusRouter::carry_out(Member member, Place& place, const BusLine& line, Clock::time_point now)
{
    switch (line.type) {
    case BusLine::Type::hello:
        begin_anew(member, place);
        return answer(member, encode_welcome(line.id, place.who, group_));
    case BusLine::Type::subscribe:
        return subscribe(member, place, line);
    case BusLine::Type::unsubscribe:
        if (place.patterns.erase(line.topic) > 0) {
            place.pattern_words -= count_words(line.topic);
            subscriptions_.remove(line.topic, member);
        }
        return acknowledge(member, line);
    case BusLine::Type::publish:
        return acknowledge_delivery(member, line, publish(place.name, line.topic, line.data));
    case BusLine::Type::send:
        return send(member, place, line);
    case BusLine::Type::request:
        return request(member, place, line, now);
    case BusLine::Type::reply:
        return reply(member, place, line);
    case BusLine::Type::campaign:
        acknowledge(member, line);
        if (place.is_leaving || place.who.slot == 0)
            return answer(member, encode_leader(false));
        return tell(elections_[place.who.pool].on_campaign(member, place.who.generation));
    case BusLine::Type::resign:
        tell(elections_[place.who.pool].on_resign(member));
        return acknowledge(member, line);
    case BusLine::Type::sync:
        place.outbox.follow(store_);
        mark(member, place);
        return acknowledge(member, line);
    case BusLine::Type::put:
    case BusLine::Type::erase:
    case BusLine::Type::increment:
        return change_store(member, place, line);
    case BusLine::Type::get:
        return get(member, line);
    }
}

/// Another process of the worker may have spoken before, of which the new one knows nothing.
void BusRouter::begin_anew(Member member, Place& place)
{
    for (const auto& pattern : place.patterns)
        subscriptions_.remove(pattern, member);
    place.patterns.clear();
    place.pattern_words = 0;
    for (const auto& request : requests_.on_leave(member))
        tell_done(request);
    place.outbox.begin_anew();
    ++place.process;
    if (const auto election = elections_.find(place.who.pool); election != elections_.end())
        tell(election->second.on_resign(member));
}

void BusRouter::subscribe(Member member, Place& place, const BusLine& line)
{
    if (!place.patterns.contains(line.topic)) {
        const auto words = place.pattern_words + count_words(line.topic);
        if (place.patterns.size() >= most_patterns || words > most_pattern_words)
            return refuse(
                member, {.id = line.id,
                         .code = "too-many",
                         .reason = words > most_pattern_words
                                       ? fmt::format("its patterns would have {} words, {} are "
                                                     "allowed",
                                                     words, most_pattern_words)
                                       : fmt::format("it has {} patterns already", most_patterns)});
        place.pattern_words = words;
        place.patterns.insert(line.topic);
        subscriptions_.add(line.topic, member);
    }
    acknowledge(member, line);
}

std::size_t BusRouter::publish(std::string_view from, std::string_view topic, std::string_view data)
{
    subscriptions_.find(topic, found_);
    if (found_.empty())
        return 0;
    const auto message = shared_line(encode_message(topic, from, data));
    for (const auto receiver : found_)
        deliver(receiver, message);
    return found_.size();
}

/// Whether what `from` sends by `line` without regard to who has subscribed is for `place`.
bool BusRouter::is_addressed(const Place& place, Member asker, const Place& from,
                             const BusLine& line) const
{
    // Most workers never open the bus, and read nothing there.
    if (place.who.slot == 0 || !place.has_spoken)
        return false;
    const auto& pool = line.pool.empty() ? from.who.pool : line.pool;
    if (!pool.empty() && place.who.pool != pool)
        return false;
    if (line.slot)
        return place.who.slot == *line.slot;
    return place.who.worker != asker;
}

void BusRouter::send(Member member, Place& place, const BusLine& line)
{
    Outbox::Line message;
    std::size_t count = 0;
    for (const auto& [receiver, other] : members_) {
        if (!is_addressed(*other, member, place, line))
            continue;
        if (!message)
            message = shared_line(encode_message(line.topic, place.name, line.data));
        deliver(receiver, message);
        ++count;
    }
    acknowledge_delivery(member, line, count);
}

void BusRouter::request(Member member, Place& place, const BusLine& line, Clock::time_point now)
{
    if (requests_.count(member) >= most_open_questions)
        return refuse(member, {.id = line.id,
                               .code = "too-many",
                               .reason = fmt::format("{} requests of it are under way",
                                                     most_open_questions)});
    const auto timeout = duration_of(line.timeout_ms).value_or(default_request_timeout);
    OpenRequests::Request request{.asker = member,
                                  .id = std::string{line.id},
                                  .most = line.max.value_or(0),
                                  .deadline = now + timeout};
    const auto ask = [&](Member respondent) {
        request.awaited.push_back({.member = respondent, .name = members_.at(respondent)->name});
    };
    if (line.slot || !line.pool.empty()) {
        for (const auto& [respondent, other] : members_)
            if (is_addressed(*other, member, place, line))
                ask(respondent);
    } else {
        subscriptions_.find(line.topic, found_);
        for (const auto respondent : found_)
            // Who listens from outside cannot answer.
            if (respondent != member && members_.at(respondent)->who.slot != 0)
                ask(respondent);
    }
    if (request.awaited.empty())
        return tell_done(request);
    const auto awaited = request.awaited;
    const auto number = requests_.open(std::move(request));
    const auto question =
        shared_line(encode_request(number, line.topic, place.name, timeout, line.data));
    for (const auto& respondent : awaited)
        deliver(respondent.member, question);
}

void BusRouter::reply(Member member, Place& place, const BusLine& line)
{
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(line.id.data(), line.id.data() + line.id.size(), number);
    if (error != std::errc{} || end != line.id.data() + line.id.size())
        return refuse(member, {.id = line.id,
                               .code = "bad-member",
                               .reason = "\"id\" must be the number of a request"});
    // Of one that is over or was not asked of it nobody wants to know: it may merely be late.
    const auto asker = requests_.asker(number);
    if (!asker)
        return;
    const bool delivered = members_.at(*asker)->outbox.has_room_for_replies();
    const auto* request = requests_.on_reply(number, member, delivered);
    if (request == nullptr)
        return;
    if (delivered)
        answer(*asker, encode_reply(request->id, place.name, line.error ? "error" : "data",
                                    line.error ? std::string_view{*line.error} : line.data));
    if (const auto done = requests_.take_done(number))
        tell_done(*done);
}

void BusRouter::tell_done(const OpenRequests::Request& request)
{
    answer(request.asker, encode_done(request.id, request.replies, request.missing));
}

void BusRouter::change_store(Member member, const Place& place, const BusLine& line)
{
    Store::Command command{.kind = kind_of(line.type),
                           .key = line.key,
                           .value = std::string{line.data},
                           .by = line.by,
                           .ttl = duration_of(line.ttl_ms),
                           .expected = line.expected,
                           .owner = place.name};
    change_(std::move(command), [this, member, process = place.process,
                                 id = std::string{line.id}](Store::Answer result) {
        // The next process counts anew, and would take the answer for one to its own change.
        const auto asker = members_.find(member);
        if (asker == members_.end() || asker->second->process != process)
            return;
        if (result.code.empty()) {
            auto more = fmt::format(",\"revision\":{}", result.revision);
            if (!result.value.empty())
                more += fmt::format(",\"value\":{}", result.value);
            if (!id.empty())
                answer(member, encode_ok(id, more), result.revision);
            return;
        }
        const bool is_conflict = result.code == "conflict";
        answer(member,
               encode_error({.id = id, .code = result.code, .reason = std::move(result.reason)},
                            is_conflict ? fmt::format(",\"revision\":{}", result.revision)
                                        : std::string{}),
               is_conflict ? result.seen : 0);
    });
}

void BusRouter::get(Member member, const BusLine& line)
{
    const auto* entry = store_.find(line.key);
    answer(member,
           encode_ok(line.id, entry == nullptr ? std::string{",\"revision\":0"}
                                               : fmt::format(",\"revision\":{},\"value\":{}",
                                                             entry->revision, *entry->value)));
}

void BusRouter::on_stored()
{
    for (const auto& [member, place] : members_)
        if (place->outbox.follows())
            mark(member, *place);
}

void BusRouter::advance(Clock::time_point now)
{
    for (const auto& request : requests_.take_late(now))
        tell_done(request);
}

void BusRouter::flush()
{
    // One may make another dirty.
    while (!dirty_.empty()) {
        const auto dirty = std::exchange(dirty_, {});
        for (const auto member : dirty)
            if (const auto found = members_.find(member); found != members_.end()) {
                found->second->is_dirty = false;
                const auto on_output = found->second->on_output;
                on_output();
            }
    }
}

bool BusRouter::has_workers() const noexcept
{
    return std::ranges::any_of(members_,
                               [](const auto& each) { return each.second->who.slot != 0; });
}

void BusRouter::end_outside()
{
    for (const auto& [member, place] : members_)
        if (place->who.slot == 0) {
            place->is_over = true;
            mark(member, *place);
        }
}

std::optional<BusRouter::Member> BusRouter::leader(std::string_view pool) const
{
    const auto election = elections_.find(pool);
    return election == elections_.end() ? std::nullopt : election->second.leader();
}

void BusRouter::tell(const LeaderElection::Notices& notices)
{
    for (const auto& notice : notices)
        answer(notice.member, encode_leader(notice.is_leader));
}

void BusRouter::deliver(Member member, Outbox::Line line)
{
    auto& place = *members_.at(member);
    place.outbox.add_message(std::move(line));
    mark(member, place);
}

void BusRouter::answer(Member member, std::string line, std::uint64_t revision)
{
    const auto found = members_.find(member);
    if (found == members_.end())
        return;
    found->second->outbox.add_answer(std::move(line), revision);
    mark(member, *found->second);
}

/// Only if it has asked for that.
void BusRouter::acknowledge(Member member, const BusLine& line)
{
    if (!line.id.empty())
        answer(member, encode_ok(line.id));
}

void BusRouter::acknowledge_delivery(Member member, const BusLine& line, std::size_t receivers)
{
    if (!line.id.empty())
        answer(member, encode_ok(line.id, fmt::format(",\"receivers\":{}", receivers)));
}

void BusRouter::mark(Member member, Place& place)
{
    if (!std::exchange(place.is_dirty, true))
        dirty_.push_back(member);
}

} // namespace usher
