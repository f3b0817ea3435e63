// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/codec.hpp"
#include "balancer/config/keys.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// One key of an object of the configuration, which becomes an `Owner`.
template <typename Owner>
struct Key {
    /// `access` is a member of the owner, or at().
    template <typename Access, typename Value>
    Key(std::string key, Access access, const Codec<Value>& codec,
        Effect on_reload = Effect::new_workers)
        : name{std::move(key)},
          effect{on_reload},
          read{[=](const JsonValue& value, Owner& owner) {
              std::invoke(access, owner) = codec.read(value);
          }},
          write{[=](const Owner& owner) { return codec.write_any(std::invoke(access, owner)); }},
          copy{[=](Owner& to, const Owner& from) {
              std::invoke(access, to) = std::invoke(access, from);
          }}
    {
    }

    std::string name;
    Effect effect;
    std::function<void(const JsonValue&, Owner&)> read;
    std::function<Json(const Owner&)> write; ///< null: the key is left out
    std::function<void(Owner& to, const Owner& from)> copy;
};

template <typename Owner>
using Keys = std::vector<Key<Owner>>;

/// The member of a member.
template <typename Part, typename Member>
auto at(Part part, Member member)
{
    return [=](auto& owner) -> auto&
    {
        return owner.*part.*member;
    };
}

template <typename Owner>
Owner read_object(const JsonValue& value, const Keys<Owner>& keys, std::string_view must)
{
    std::vector<std::string_view> known;
    for (const auto& key : keys)
        known.push_back(key.name);
    value.check_keys(known, must);
    Owner owner;
    for (const auto& key : keys)
        if (const auto member = value.find(key.name))
            key.read(*member, owner);
    return owner;
}

template <typename Owner, typename Object = Json>
Object write_object(const Owner& owner, const Keys<Owner>& keys)
{
    auto object = Object::object();
    for (const auto& key : keys)
        if (auto value = key.write(owner); !value.is_null())
            object[key.name] = std::move(value);
    return object;
}

/// An object of ours; `must` says what it must be, `check` refuses what does not go together.
template <typename Owner>
Codec<Owner> object(Keys<Owner> keys, std::string must = "an object",
                    std::function<void(const JsonValue&, const Owner&)> check = {})
{
    const auto read = [=](const JsonValue& value) {
        auto owner = read_object(value, keys, must);
        if (check)
            check(value, owner);
        return owner;
    };
    return {read, [=](const Owner& owner) { return write_object(owner, keys); }};
}

} // namespace usher
