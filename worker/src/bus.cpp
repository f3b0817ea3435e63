// SPDX-License-Identifier: MIT
#include "usher/worker/bus.hpp"

#include "worker/src/terminated.hpp"

#include <cstdlib>

namespace usher::worker {

using detail::Terminated;

bool Bus::is_available() noexcept
{
    return std::getenv("USHER_BUS_FD") != nullptr;
}

detail::BusCore::Say Bus::subscription(std::string_view pattern)
{
    return [pattern = Terminated{pattern}](usher_bus* bus, std::uint64_t* id) {
        return pattern ? ::usher_bus_subscribe(bus, pattern.text(), id) : -1;
    };
}

detail::BusCore::Say Bus::publication(std::string_view topic, std::string_view data)
{
    return [topic = Terminated{topic}, data = Terminated{data}](usher_bus* bus, std::uint64_t* id) {
        return topic && data ? ::usher_bus_publish(bus, topic.text(), data.text(), id) : -1;
    };
}

detail::BusCore::Say Bus::delivery(const Recipient& to, std::string_view topic,
                                   std::string_view data)
{
    return [pool = Terminated{to.pool}, slot = to.slot, topic = Terminated{topic},
            data = Terminated{data}](usher_bus* bus, std::uint64_t* id) {
        return pool && topic && data ? ::usher_bus_send(bus, pool.text_or_null(), slot,
                                                        topic.text_or_null(), data.text(), id)
                                     : -1;
    };
}

boost::system::error_code Bus::publish(std::string_view topic, std::string_view data)
{
    return core_->say([&](usher_bus* bus) { return publication(topic, data)(bus, nullptr); });
}

boost::system::error_code Bus::send(const Recipient& to, std::string_view topic,
                                    std::string_view data)
{
    return core_->say([&](usher_bus* bus) { return delivery(to, topic, data)(bus, nullptr); });
}

boost::system::error_code Bus::reply(const Message& request, std::string_view data)
{
    return core_->say([&, text = Terminated{data}](usher_bus* bus) {
        return text ? ::usher_bus_reply(bus, request.id, text.text()) : -1;
    });
}

boost::system::error_code Bus::refuse(const Message& request, std::string_view reason)
{
    return core_->say([&, text = Terminated{reason}](usher_bus* bus) {
        return text ? ::usher_bus_fail(bus, request.id, text.text()) : -1;
    });
}

boost::system::error_code Bus::subscribe(std::string_view pattern)
{
    return core_->say([&](usher_bus* bus) { return subscription(pattern)(bus, nullptr); });
}

boost::system::error_code Bus::unsubscribe(std::string_view pattern)
{
    return core_->say([&, text = Terminated{pattern}](usher_bus* bus) {
        return text ? ::usher_bus_unsubscribe(bus, text.text(), nullptr) : -1;
    });
}

boost::system::error_code Bus::campaign()
{
    return core_->say(&::usher_bus_campaign);
}

} // namespace usher::worker
