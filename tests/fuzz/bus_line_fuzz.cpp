// SPDX-License-Identifier: MIT
//
// Whatever members of a bus say, each hears nothing but lines that are JSON objects with a type,
// and what one has published comes as the bytes that it was.
#include "balancer/bus/bus_router.hpp"
#include "balancer/store/json_members.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>
#include <string>
#include <string_view>

using namespace usher;
using namespace usher::fuzz;

namespace {

std::string_view member_of(std::string_view line, std::string_view name)
{
    JsonMembers members{line};
    while (members.next())
        if (members.name() == name)
            return members.value();
    return {};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    Store store{StoreConfig{.max_keys = 3, .max_bytes = 1'000, .worker_bytes = 600}};
    BusRouter router{"group", store, [&](const Store::Command& command, const auto& done) {
                         auto answer = store.apply(command, {});
                         require(answer.code.empty() || store.pending().empty() ||
                                 store.pending().back().has_expired);
                         store.commit();
                         router.on_stored();
                         done(std::move(answer));
                     }};
    std::array<BusRouter::Member, 3> members{};
    for (unsigned i = 0; i < members.size(); ++i)
        members.at(i) =
            router.join({.pool = "pool", .slot = i + 1, .worker = i + 1, .generation = 1},
                        BusConfig{.max_messages = 4}, [] {});
    const auto hear_all = [&] {
        for (const auto member : members)
            while (const auto line = router.outbox(member).next()) {
                require(line->ends_with('\n') && line->find('\n') == line->size() - 1);
                require(is_json_object(*line));
                require(json_text(member_of(*line, "type")).has_value());
            }
    };

    const auto text = text_of(data, size);
    std::size_t turn = 0;
    BusRouter::Clock::time_point now{};
    for (std::string_view rest = text; !rest.empty(); ++turn) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        router.on_line(members.at(turn % members.size()), line, now);
        const auto decoded = decode_bus_line(line);
        if (const auto* said = std::get_if<BusLine>(&decoded)) {
            require(said->data.empty() || is_json(said->data));
            require(said->id.empty() || is_json(said->id));
        }
        router.flush();
        if (turn % 2 == 1)
            hear_all();
        now += std::chrono::milliseconds{700};
        router.advance(now);
    }
    router.leave(members.front());
    members.front() = members.back();
    router.flush();
    hear_all();
    return 0;
}
