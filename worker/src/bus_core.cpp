// SPDX-License-Identifier: MIT
#include "usher/worker/detail/bus_core.hpp"

#include "usher/worker/bus_error.hpp"
#include "worker/src/json_names.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace asio = boost::asio;

namespace usher::worker::detail {

namespace {

/// As many events as one turn of the event loop may take, for others to have theirs.
constexpr int most_events = 256;

std::string text_of(const char* text)
{
    return text != nullptr ? text : "";
}

boost::system::error_code last_error()
{
    return {errno, boost::system::system_category()};
}

std::shared_ptr<usher_bus> open_bus()
{
    if (usher_bus* const bus = ::usher_bus_open())
        return {bus, &::usher_bus_close};
    const std::error_code error{errno, std::system_category()};
    throw std::system_error{error, ::usher_error()};
}

Message message_of(const usher_bus_event& event, Message::Kind kind)
{
    Message message;
    message.kind = kind;
    message.topic = text_of(event.topic);
    message.from = text_of(event.from);
    message.data = text_of(kind == Message::Kind::error ? event.reason : event.data);
    message.id = event.id;
    message.count = event.count;
    message.timeout = std::chrono::milliseconds{event.timeout_ms};
    return message;
}

} // namespace

std::shared_ptr<BusCore> BusCore::open(asio::io_context& io)
{
    auto core = std::make_shared<BusCore>(io);
    core->events_.assign(::usher_bus_fd(core->bus()));
    core->wait_for_events();
    return core;
}

BusCore::BusCore(asio::io_context& io)
    : io_{io},
      bus_{open_bus()},
      events_{io},
      receiving_{io},
      leading_{io},
      opening_{io},
      requests_{io},
      done_{io},
      receivers_{io},
      revisions_{io},
      values_{io}
{
}

// Of its posts one fails when there is no memory: then the program ends.
// NOLINTNEXTLINE(bugprone-exception-escape)
void BusCore::close() noexcept
{
    if (events_.is_open())
        events_.release(); // the bus closes it
    bus_.reset();
    fail_all(asio::error::operation_aborted);
}

void BusCore::wait_for_events()
{
    if (!events_.is_open())
        return;
    events_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error)
                               self->read_events();
                       });
}

void BusCore::read_events()
{
    bool has_more = true;
    try {
        has_more = take_events();
    } catch (...) { // of a watcher; it ends neither the bus nor the rest of what has come
        read_on(true);
        throw;
    }
    read_on(has_more);
}

bool BusCore::take_events()
{
    const auto bus = bus_; // which a watcher may close
    usher_bus_event event = USHER_BUS_EVENT_INIT;
    for (int i = 0; i < most_events && bus_; ++i) {
        if (::usher_bus_next(bus.get(), &event) < 0)
            return errno != EAGAIN;
        on_event(event);
    }
    return true;
}

void BusCore::read_on(bool has_more)
{
    if (!bus_ || is_ended_)
        return;
    if (has_more)
        asio::post(io_, [self = shared_from_this()] { self->read_events(); });
    else
        wait_for_events();
}

void BusCore::on_event(const usher_bus_event& event)
{
    switch (event.kind) {
    case USHER_BUS_MESSAGE:
        return deliver(message_of(event, Message::Kind::message));
    case USHER_BUS_REQUEST:
        return deliver(message_of(event, Message::Kind::request));
    case USHER_BUS_LOST:
        return deliver(message_of(event, Message::Kind::lost));
    case USHER_BUS_REPLY:
        return on_reply(event);
    case USHER_BUS_DONE:
        return on_done(event);
    case USHER_BUS_OK:
        return on_answer(event);
    case USHER_BUS_ERROR:
        return on_failure(event);
    case USHER_BUS_LEADER:
        return tell_leadership();
    case USHER_BUS_SYNCED:
        return opening_.fail_all({});
    case USHER_BUS_SET:
    case USHER_BUS_ERASED:
        return on_change(event);
    case USHER_BUS_END:
        return on_end();
    }
}

void BusCore::on_answer(const usher_bus_event& event)
{
    std::int64_t value = 0;
    if (event.data != nullptr)
        std::from_chars(event.data, event.data + event.data_size, value);
    // There is one of them all that has the number.
    done_.complete(event.id, {});
    receivers_.complete(event.id, {}, event.count);
    revisions_.complete(event.id, {}, event.revision);
    values_.complete(event.id, {}, value);
}

void BusCore::on_failure(const usher_bus_event& event)
{
    const boost::system::error_code error = bus_error_of(event.code);
    replies_.erase(event.id);
    if (!done_.fail(event.id, error) && !receivers_.fail(event.id, error) &&
        !revisions_.fail(event.id, error) && !values_.fail(event.id, error) &&
        !requests_.fail(event.id, error) && event.id == 0)
        deliver(message_of(event, Message::Kind::error));
}

void BusCore::on_reply(const usher_bus_event& event)
{
    if (requests_.contains(event.id))
        replies_[event.id].replies.push_back(
            {text_of(event.from), text_of(event.data), text_of(event.reason)});
}

void BusCore::on_done(const usher_bus_event& event)
{
    Replies all = std::move(replies_[event.id]);
    replies_.erase(event.id);
    if (event.data != nullptr)
        all.missing = json_names({event.data, event.data_size});
    requests_.complete(event.id, {}, std::move(all));
}

void BusCore::on_change(const usher_bus_event& event)
{
    Change change{.key = event.key,
                  .value = std::nullopt,
                  .revision = event.revision,
                  .is_expired = event.kind == USHER_BUS_ERASED && event.flag != 0};
    if (event.kind == USHER_BUS_SET)
        change.value = std::string_view{event.data, event.data_size};

    // By number, since each of them may add and forget others.
    const auto end = watchers_.empty() ? 0 : watchers_.rbegin()->first + 1;
    for (auto next = watchers_.begin(); next != watchers_.end() && next->first < end;) {
        const auto number = next->first;
        const auto watched = next->second;
        if (bus_ && change.key.starts_with(watched->prefix))
            watched->watcher(change);
        next = watchers_.upper_bound(number);
    }
}

void BusCore::on_end()
{
    is_ended_ = true;
    events_.release(); // nothing of ours may keep the event loop running
    fail_all(asio::error::eof);
}

void BusCore::deliver(Message message)
{
    unread_.push(std::move(message));
    if (!receiving_.empty())
        receiving_.complete_first({}, unread_.pop());
}

void BusCore::tell_leadership()
{
    const bool is_leader = bus_ && ::usher_bus_is_leader(bus()) != 0;
    if (leading_.empty() || is_leader == is_leader_told_)
        return;
    is_leader_told_ = is_leader;
    leading_.complete_first({}, is_leader);
}

void BusCore::fail_all(boost::system::error_code error)
{
    receiving_.fail_all(error);
    leading_.fail_all(error);
    opening_.fail_all(error);
    requests_.fail_all(error);
    done_.fail_all(error);
    receivers_.fail_all(error);
    revisions_.fail_all(error);
    values_.fail_all(error);
    replies_.clear();
}

boost::system::error_code BusCore::say(const std::function<int(usher_bus*)>& words)
{
    if (!bus_)
        return asio::error::operation_aborted;
    return words(bus()) < 0 ? last_error() : boost::system::error_code{};
}

template <typename Table, typename Handler>
void BusCore::ask_for(Table& table, const Say& words, Handler handler)
{
    std::uint64_t id = 0; // which nothing else has, and what could not be said keeps
    auto error = say([&](usher_bus* bus) { return words(bus, &id); });
    if (is_ended_)
        error = asio::error::eof;
    table.add(id, std::move(handler), weak_from_this());
    if (error)
        table.fail(id, error);
}

void BusCore::ask(const Say& words, Waiters<>::Handler handler)
{
    ask_for(done_, words, std::move(handler));
}

void BusCore::ask_receivers(const Say& words, Waiters<std::size_t>::Handler handler)
{
    ask_for(receivers_, words, std::move(handler));
}

void BusCore::ask_revision(const Say& words, Waiters<std::uint64_t>::Handler handler)
{
    ask_for(revisions_, words, std::move(handler));
}

void BusCore::ask_value(const Say& words, Waiters<std::int64_t>::Handler handler)
{
    ask_for(values_, words, std::move(handler));
}

void BusCore::request(std::string_view topic, std::string_view data, const Question& question,
                      Waiters<Replies>::Handler handler)
{
    const auto words = [&](usher_bus* bus, std::uint64_t* id) {
        usher_bus_question asked = USHER_BUS_QUESTION_INIT;
        asked.pool = question.to.pool.empty() ? nullptr : question.to.pool.c_str();
        asked.slot = question.to.slot;
        asked.timeout_ms = static_cast<std::uint64_t>(question.timeout.count());
        asked.max = question.max;
        return ::usher_bus_request(bus, std::string{topic}.c_str(), std::string{data}.c_str(),
                                   &asked, id);
    };
    ask_for(requests_, words, std::move(handler));
}

void BusCore::receive(Waiters<Message>::Handler handler)
{
    receiving_.add(++last_key_, std::move(handler), weak_from_this());
    if (!unread_.empty())
        receiving_.complete_first({}, unread_.pop());
    else if (is_ended_)
        receiving_.fail_all(asio::error::eof);
    else if (!bus_)
        receiving_.fail_all(asio::error::operation_aborted);
}

void BusCore::wait_for_leadership(Waiters<bool>::Handler handler)
{
    leading_.add(++last_key_, std::move(handler), weak_from_this());
    if (is_ended_)
        leading_.fail_all(asio::error::eof);
    else if (!bus_)
        leading_.fail_all(asio::error::operation_aborted);
    else
        tell_leadership();
}

void BusCore::open_store(Waiters<>::Handler handler)
{
    opening_.add(++last_key_, std::move(handler), weak_from_this());
    if (bus_ && ::usher_store_is_open(bus()) != 0)
        opening_.fail_all({});
    else if (is_ended_)
        opening_.fail_all(asio::error::eof);
    else if (const auto error = say(&::usher_store_open))
        opening_.fail_all(error);
}

boost::system::error_code BusCore::resign()
{
    const auto error = say(&::usher_bus_resign);
    if (!error)
        is_leader_told_ = false;
    return error;
}

std::uint64_t BusCore::watch(std::string prefix, Watcher watcher)
{
    watchers_.emplace(++last_key_,
                      std::make_shared<Watched>(Watched{std::move(prefix), std::move(watcher)}));
    return last_key_;
}

} // namespace usher::worker::detail
