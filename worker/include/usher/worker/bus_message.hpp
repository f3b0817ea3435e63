// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace usher::worker {

/// What comes by the bus.
struct Message {
    enum class Kind {
        message, ///< somebody has published or sent it
        request, ///< a question: answer it by Bus::reply() or refuse()
        lost,    ///< `count` messages, older than what follows, were read too slowly
        error,   ///< something was said that the master does not take; `data` is its reason
    };

    Kind kind = Kind::message;
    std::string topic; ///< empty if it has none
    std::string from;  ///< "POOL/SLOT"; "usher" is the command line, or the master
    std::string data;  ///< JSON, as it was written
    std::uint64_t id = 0;
    std::uint64_t count = 0;
    std::chrono::milliseconds timeout{}; ///< of a question: how long its answers are waited for
};

/// One answer to a request.
struct Reply {
    std::string from;
    std::string data;  ///< JSON
    std::string error; ///< in place of data, why there is no answer
};

/// All answers to a request, and who has given none.
struct Replies {
    std::vector<Reply> replies;
    std::vector<std::string> missing; ///< has ended, was too slow, or was not waited for
};

/// Whom to send something to.
struct Recipient {
    std::string pool;  ///< empty: one's own
    unsigned slot = 0; ///< 0: all of the pool but this worker
};

/// How a request is asked.
struct Question {
    std::chrono::milliseconds timeout{5'000};
    std::uint64_t max = 0; ///< over when so many have answered; 0: when all have
    Recipient to{};        ///< if it names one; else who has subscribed
};

} // namespace usher::worker
