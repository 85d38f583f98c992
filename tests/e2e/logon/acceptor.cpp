// The server's part of a logon for a peer in another program: tokens in hexadecimal, one a line, on stdin; on stdout
// for each `go_on TOKEN`, `accepted TOKEN KIND KEY MIC USER` or `refused TOKEN ERRNO`. KIND is user or anonymous, MIC
// tells whether NTLM's messages had one; an empty line begins another conversation. User "User", password "Password".
#include <fmt/core.h>

#include <iostream>
#include <string>

#include "wire/spnego/acceptor.h"

using namespace isthmus;

namespace {

std::string from_hex(const std::string& line) {
  std::string out;
  for (size_t i = 0; i + 2 <= line.size(); i += 2) out += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  return out;
}

std::string to_hex(Bytes bytes) {
  std::string out;
  for (std::byte b : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return out.empty() ? "-" : out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "hint") {
    std::cout << to_hex(as_bytes(spnego::negotiate_hint())) << std::endl;
    return 0;
  }
  ntlm::Settings settings;
  settings.names = {"ISTHMUS", "WORKGROUP", "isthmus.test", "test"};
  settings.account = [](std::string_view user, std::string_view) {
    return user == "User" ? ntlm::nt_hash("Password") : std::nullopt;
  };
  settings.anonymous = true;
  const ntlm::ServerChallenge challenge{std::byte{1}, std::byte{0x23}, std::byte{0x45}};
  std::optional<spnego::Acceptor> acceptor;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) {
      acceptor.reset();
      continue;
    }
    if (!acceptor) acceptor.emplace(settings, challenge, now());
    const std::string token = from_hex(line);
    const auto answer = acceptor->step(as_bytes(token));
    std::string text = to_hex(as_bytes(answer.token));
    switch (answer.state) {
      case spnego::Acceptor::State::go_on:
        text = "go_on " + text;
        break;
      case spnego::Acceptor::State::refused:
        text = fmt::format("refused {} {}", text, name_of(answer.why));
        break;
      case spnego::Acceptor::State::accepted: {
        const ntlm::Logon& logon = *acceptor->logon();
        text =
            fmt::format("accepted {} {} {} {} {}", text, logon.kind == ntlm::Logon::Kind::user ? "user" : "anonymous",
                        to_hex(logon.session_key.bytes()), logon.has_mic ? "mic" : "no_mic", logon.user);
        break;
      }
    }
    std::cout << text << std::endl;
  }
  return 0;
}
