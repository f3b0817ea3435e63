// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/codec.hpp"
#include "balancer/config/keys.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// One key of an object of the configuration, which becomes an `Owner`.
template <typename Owner>
class Key {
public:
    /// `access` is a member of the owner, or at().
    template <typename Access, typename Value>
    Key(std::string key, Access access, const Codec<Value>& codec,
        Effect on_reload = Effect::new_workers)
        : name{std::move(key)},
          effect{on_reload},
          part_{std::unique_ptr<const Part>{new PartAt<Access, Value>{access, codec}}}
    {
    }

    void read(const JsonValue& value, Owner& owner) const { part_->read(value, owner); }

    /// Null: the key is left out.
    template <typename Object = Json> // Json may be unknown here
    Object write(const Owner& owner) const
    {
        Object value;
        part_->write(owner, value);
        return value;
    }

    void copy(Owner& to, const Owner& from) const { part_->copy(to, from); }

    std::string name;
    Effect effect;

private:
    // One class for each kind of member, instead of three std::function, which took the compiler
    // four times as long.
    struct Part {
        virtual ~Part() = default;
        virtual void read(const JsonValue& value, Owner& owner) const = 0;
        virtual void write(const Owner& owner, Json& value) const = 0;
        virtual void copy(Owner& to, const Owner& from) const = 0;
    };

    template <typename Access, typename Value>
    struct PartAt final : Part {
        PartAt(Access a, Codec<Value> c) : access{a}, codec{std::move(c)} {}

        void read(const JsonValue& value, Owner& owner) const override
        {
            std::invoke(access, owner) = codec.read(value);
        }
        void write(const Owner& owner, Json& value) const override
        {
            value = codec.write_any(std::invoke(access, owner));
        }
        void copy(Owner& to, const Owner& from) const override
        {
            std::invoke(access, to) = std::invoke(access, from);
        }

        Access access;
        Codec<Value> codec;
    };

    std::shared_ptr<const Part> part_;
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
