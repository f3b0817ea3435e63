// SPDX-License-Identifier: MIT
//
// Whatever a client writes to the control socket, it is refused with a reason or is a request that
// arrives the same when it is sent on; and a client bears whatever a master writes.
#include "balancer/admin/request.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <variant>

using namespace usher;
using namespace usher::fuzz;

namespace {

void require_one_line(const std::string& message)
{
    require(message.ends_with('\n'));
    require(is_one_line(std::string_view{message}.substr(0, message.size() - 1)));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto line = text_of(data, size);
    static_cast<void>(decode_line(line));

    const auto request = decode_request(line);
    if (const auto* const bad = std::get_if<BadRequest>(&request)) {
        const auto reply =
            encode(Outcome{.kind = Outcome::Kind::bad_request, .message = bad->reason});
        require_one_line(reply);
        require(!bad->reason.empty() && decode_line(reply).text == bad->reason);
        return 0;
    }
    const auto sent = encode(request);
    require_one_line(sent);
    require(encode(decode_request(sent)) == sent);
    return 0;
}
