// SPDX-License-Identifier: MIT
//
// Whatever a client writes to the control socket, it is refused with a reason or is a request that
// arrives the same when it is sent on; and a client bears whatever a master writes.
#include "balancer/admin/request.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <stdexcept>
#include <string>

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

    Request request;
    try {
        request = decode_request(line);
    } catch (const std::runtime_error& error) {
        const std::string reason = error.what();
        const auto reply = encode(Outcome::bad_request(reason));
        require_one_line(reply);
        require(!reason.empty() && decode_line(reply).text == reason);
        return 0;
    }
    const auto sent = encode(request);
    require_one_line(sent);
    require(decode_request(sent) == request);
    return 0;
}
