// SPDX-License-Identifier: MIT
#include "usher/worker/store.hpp"

#include "worker/c/bus/store.h"
#include "worker/src/terminated.hpp"

#include <algorithm>

namespace usher::worker {

using detail::Terminated;

std::optional<Value> Store::get(std::string_view key) const noexcept
{
    usher_store_value value = USHER_STORE_VALUE_INIT;
    if (core_->bus() == nullptr ||
        ::uw_store_find(core_->bus(), key.data(), key.size(), &value) < 0)
        return std::nullopt;
    return Value{.data = {value.data, value.data_size}, .revision = value.revision};
}

std::vector<std::string> Store::keys(std::string_view prefix) const
{
    std::vector<std::string> keys;
    const auto visit = [](void* context, const char* key, const usher_store_value* /*value*/) {
        static_cast<std::vector<std::string>*>(context)->emplace_back(key);
        return 0;
    };
    if (core_->bus() != nullptr)
        ::usher_store_each(core_->bus(), std::string{prefix}.c_str(), visit, &keys);
    std::ranges::sort(keys);
    return keys;
}

detail::BusCore::Say Store::put(std::string_view key, std::string_view data,
                                const PutOptions& options)
{
    return [key = Terminated{key}, data = Terminated{data}, options](usher_bus* bus,
                                                                     std::uint64_t* id) {
        const auto ttl = static_cast<std::uint64_t>(options.ttl.count());
        if (!key || !data)
            return -1;
        return options.expected
                   ? ::usher_store_put_if(bus, key.text(), data.text(), ttl, *options.expected, id)
                   : ::usher_store_put(bus, key.text(), data.text(), ttl, id);
    };
}

detail::BusCore::Say Store::erase(std::string_view key, std::optional<std::uint64_t> expected)
{
    return [key = Terminated{key}, expected](usher_bus* bus, std::uint64_t* id) {
        if (!key)
            return -1;
        return expected ? ::usher_store_erase_if(bus, key.text(), *expected, id)
                        : ::usher_store_erase(bus, key.text(), id);
    };
}

detail::BusCore::Say Store::increment(std::string_view key, std::int64_t by,
                                      std::chrono::milliseconds ttl)
{
    return [key = Terminated{key}, by, ttl](usher_bus* bus, std::uint64_t* id) {
        return key ? ::usher_store_increment(bus, key.text(), by,
                                             static_cast<std::uint64_t>(ttl.count()), id)
                   : -1;
    };
}

} // namespace usher::worker
