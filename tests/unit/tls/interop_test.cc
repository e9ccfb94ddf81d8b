// The codec against clients that are not ours: openssl s_client and curl, over loopback sockets.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "client.h"

namespace rw::tls {
namespace {

using namespace testing;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// What became of one connection.
struct outcome {
  std::string protocol;
  std::string server_name;
  std::string failure;
  bool established = false;
  bool resumed = false;
};

// Answers `GET /N` with N bytes and anything with a body with that body's length, once per
// connection; on a thread, one connection after the other. Its sockets block; poll() with a timeout
// keeps it from hanging.
class web_server {
 public:
  explicit web_server(std::shared_ptr<const server_context> context, std::size_t piece = SIZE_MAX)
      : context_(std::move(context)), piece_(piece), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~web_server() {
    stop_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string port() const { return std::to_string(port_); }

  // Of the connection that came last, once it is over.
  outcome last() {
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return !busy_; });
    return last_;
  }

 private:
  void run() {
    while (!stop_) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      set_busy(true, {});
      const outcome seen = serve(fd);
      ::close(fd);
      set_busy(false, seen);
    }
  }

  void set_busy(bool busy, const outcome& seen) {
    const std::lock_guard lock(mutex_);
    busy_ = busy;
    last_ = seen;
    over_.notify_all();
  }

  // False at the end of the stream or after 10 s of silence.
  static bool receive(int fd, std::string& into) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return false;
    std::array<char, 65536> room;
    const ssize_t got = ::recv(fd, room.data(), room.size(), 0);
    if (got <= 0) return false;
    into.append(room.data(), static_cast<std::size_t>(got));
    return true;
  }

  static void send(int fd, std::string& from) {
    for (std::string_view left = from; !left.empty();) {
      const ssize_t sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    from.clear();
  }

  outcome serve(int fd) {
    server at(context_);
    outcome seen;
    std::string in;
    std::string out;
    step how = step::want_input;
    while (how == step::want_input && receive(fd, in)) {
      how = at.handshake(in, out, piece_);
      send(fd, out);
    }
    seen.established = how == step::done;
    seen.resumed = at.codec.resumed();
    seen.protocol = at.codec.protocol();
    seen.server_name = at.codec.server_name();
    if (seen.established) how = answer(fd, at, in);
    if (at.codec.failed()) seen.failure = at.codec.failure().what.text;
    return seen;
  }

  step answer(int fd, server& at, std::string& in) {
    std::string out;
    std::string request;
    step how = step::want_input;
    do {
      how = at.read(in, out, request, piece_);
      send(fd, out);
    } while (how == step::want_input && !whole(request) && receive(fd, in));
    if (how == step::failed || !whole(request)) return how;
    const std::size_t head = request.find("\r\n\r\n") + 4;
    std::string body;
    if (request.starts_with("GET /")) {
      body.assign(std::strtoul(request.c_str() + 5, nullptr, 10), 'x');
    } else {
      body = std::to_string(request.size() - head) + " bytes came";
    }
    at.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body,
             out);
    at.codec.close(at.out);
    at.drain(out);
    send(fd, out);
    ::shutdown(fd, SHUT_WR);
    while (receive(fd, in)) in.clear();
    return how;
  }

  static bool whole(const std::string& request) {
    const std::size_t end = request.find("\r\n\r\n");
    if (end == request.npos) return false;
    const std::size_t at = request.find("Content-Length: ");
    if (at == request.npos) return true;
    return request.size() - end - 4 >= std::strtoul(request.c_str() + at + 16, nullptr, 10);
  }

  std::shared_ptr<const server_context> context_;
  std::size_t piece_;
  int listener_;
  unsigned port_ = 0;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable over_;
  bool busy_ = false;
  outcome last_;
  std::thread thread_;
};

// A directory that goes away with the test.
class scratch {
 public:
  scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rw_tls_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~scratch() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Standard output and error of a command line.
std::string run(const std::string& command) {
  FILE* pipe = ::popen(("( " + command + " ) 2>&1").c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string out;
  std::array<char, 65536> room;
  while (const std::size_t got = std::fread(room.data(), 1, room.size(), pipe)) {
    out.append(room.data(), got);
  }
  ::pclose(pipe);
  return out;
}

std::string s_client(const web_server& at, const std::string& options,
                     const std::string& before = "") {
  return run("printf '" + before +
             "GET /5 HTTP/1.1\\r\\n\\r\\n' | timeout 20 openssl s_client -connect 127.0.0.1:" +
             at.port() + " -ign_eof " + options);
}

std::shared_ptr<const certificate> from_vector(const std::string& name) {
  auto loaded = certificate::load(vector_file(name + ".pem"), secret(vector_file(name + ".key")));
  EXPECT_TRUE(loaded.has_value()) << name;
  return std::make_shared<const certificate>(std::move(*loaded));
}

std::shared_ptr<const server_context> context_of(
    std::vector<std::shared_ptr<const certificate>> from, server_options options = {},
    std::shared_ptr<const ticket_keys> keys = std::make_shared<ticket_keys>(mono_time{})) {
  auto made = server_context::create(std::move(options), std::move(from), std::move(keys));
  EXPECT_TRUE(made.has_value());
  return made.value_or(nullptr);
}

const std::string answered = "xxxxx";

TEST(Interop, OpensslTalksEverySuiteWithEveryKindOfKey) {
  web_server rsa(context_of({from_vector("rsa")}));
  web_server ecdsa(context_of({from_vector("p384")}), 1);
  web_server edwards(context_of({from_vector("ed25519")}), 100);
  for (web_server* at : {&rsa, &ecdsa, &edwards}) {
    for (const std::string name :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
      const std::string got = s_client(*at, "-tls1_3 -ciphersuites " + name);
      EXPECT_THAT(got, HasSubstr("Cipher is " + name));
      EXPECT_THAT(got, HasSubstr(answered));
    }
    const std::string kind = at == &rsa ? "RSA" : "ECDSA";
    for (const std::string rest : {"AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"}) {
      const std::string name = "ECDHE-" + kind + "-" + rest;
      const std::string got = s_client(*at, "-tls1_2 -cipher " + name);
      EXPECT_THAT(got, HasSubstr("Cipher is " + name));
      EXPECT_THAT(got, HasSubstr(answered));
      EXPECT_THAT(got, HasSubstr("Extended master secret: yes"));
    }
  }
}

TEST(Interop, OpensslTalksEveryGroup) {
  web_server at(context_of({from_vector("p384")}));
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    EXPECT_THAT(s_client(at, version + " -groups X25519"), HasSubstr("Server Temp Key: X25519"));
    EXPECT_THAT(s_client(at, version + " -groups P-256"), HasSubstr("prime256v1, 256 bits"));
    EXPECT_THAT(s_client(at, version + " -groups P-384"), HasSubstr("secp384r1, 384 bits"));
    // A key share for a group that is not offered here, and one that is: asked again in TLS 1.3.
    EXPECT_THAT(s_client(at, version + " -groups P-521:P-384"), HasSubstr("secp384r1, 384 bits"));
    EXPECT_THAT(s_client(at, version + " -groups P-521"), HasSubstr("handshake failure"));
  }
}

TEST(Interop, OpensslResumesAtAnotherContext) {
  const scratch files;
  const auto keys = std::make_shared<ticket_keys>(mono_time{});
  web_server one(context_of({from_vector("rsa")}, {.listener = "https"}, keys));
  web_server two(context_of({from_vector("rsa")}, {.listener = "https"}, keys));
  web_server off(
      context_of({from_vector("rsa")}, {.listener = "https", .session_tickets = false}, keys));
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    const std::string session = files.path("session" + version);
    EXPECT_THAT(s_client(one, version + " -sess_out " + session), HasSubstr("New, TLS"));
    EXPECT_FALSE(one.last().resumed);
    const std::string again = s_client(two, version + " -sess_in " + session);
    EXPECT_THAT(again, HasSubstr("Reused, TLS"));
    EXPECT_THAT(again, HasSubstr(answered));
    EXPECT_TRUE(two.last().resumed);
    EXPECT_THAT(s_client(off, version + " -sess_in " + session), HasSubstr("New, TLS"));
    EXPECT_THAT(s_client(off, version), Not(HasSubstr("TLS session ticket:")));
    EXPECT_THAT(s_client(one, version), HasSubstr("TLS session ticket lifetime hint: 43200"));
  }
}

TEST(Interop, OpensslGetsTheCertificateItNames) {
  web_server at(context_of({from_vector("rsa"), from_vector("ed25519"), from_vector("p384")}));
  EXPECT_THAT(s_client(at, "-servername ed25519.example"),
              HasSubstr("subject=CN = ed25519.example"));
  EXPECT_EQ(at.last().server_name, "ed25519.example");
  EXPECT_THAT(s_client(at, "-servername P384.example"), HasSubstr("subject=CN = p384.example"));
  EXPECT_THAT(s_client(at, "-servername unknown.example"), HasSubstr("subject=CN = rsa.example"));
  EXPECT_THAT(s_client(at, "-noservername"), HasSubstr("subject=CN = rsa.example"));
  // RSA comes first for this name; but not for a client that verifies ECDSA only.
  EXPECT_THAT(s_client(at, "-servername both.example"), HasSubstr("subject=CN = rsa.example"));
  EXPECT_THAT(s_client(at, "-servername both.example -sigalgs ECDSA+SHA384"),
              HasSubstr("subject=CN = p384.example"));
  web_server strict(context_of({from_vector("rsa")}, {.strict_sni = true}));
  EXPECT_THAT(s_client(strict, "-servername unknown.example"), HasSubstr("unrecognized name"));
  EXPECT_THAT(s_client(strict, "-noservername"), HasSubstr("alert"));
  EXPECT_THAT(s_client(strict, "-servername rsa.example"), HasSubstr(answered));
}

TEST(Interop, OpensslNegotiatesTheProtocol) {
  web_server at(context_of({from_vector("rsa")}, {.protocols = {"http/1.1"}}));
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    EXPECT_THAT(s_client(at, version + " -alpn h2,http/1.1"), HasSubstr("ALPN protocol: http/1.1"));
    EXPECT_EQ(at.last().protocol, "http/1.1");
    EXPECT_THAT(s_client(at, version), HasSubstr("No ALPN negotiated"));
    EXPECT_THAT(s_client(at, version + " -alpn h2,spdy/3"), HasSubstr("no application protocol"));
  }
}

TEST(Interop, OpensslIsToldThatItsVersionIsTooOld) {
  web_server at(context_of({from_vector("rsa")}));
  web_server newer(context_of({from_vector("rsa")}, {.min_version = protocol_version::tls13}));
  EXPECT_THAT(s_client(at, "-tls1_1 -cipher ALL:@SECLEVEL=0"), HasSubstr("alert protocol version"));
  EXPECT_THAT(s_client(newer, "-tls1_2"), HasSubstr("alert protocol version"));
  EXPECT_THAT(s_client(newer, "-tls1_3"), HasSubstr(answered));
}

TEST(Interop, OpensslSeesTheCompatibleHandshake) {
  // RFC 8446 D.4: a ChangeCipherSpec of the server's after its ServerHello.
  web_server at(context_of({from_vector("rsa")}));
  EXPECT_THAT(s_client(at, "-tls1_3 -msg"),
              ContainsRegex("<<< [^\n]*RecordHeader[^\n]*\n *14 03 03 00 01"));
}

TEST(Interop, OpensslUpdatesItsKeys) {
  web_server at(context_of({from_vector("rsa")}));
  // s_client takes a line's `K` for: update the keys and ask the server to do so too.
  const std::string got = run(
      "( sleep 0.5; echo K; sleep 0.5; echo k; sleep 0.5; printf 'GET /5 HTTP/1.1\\r\\n\\r\\n'; "
      "sleep 1 ) | timeout 20 openssl s_client -tls1_3 -connect 127.0.0.1:" +
      at.port());
  EXPECT_THAT(got, HasSubstr("KEYUPDATE"));
  EXPECT_THAT(got, HasSubstr(answered));
}

TEST(Interop, OpensslCannotRenegotiate) {
  web_server at(context_of({from_vector("rsa")}));
  const std::string got =
      run("( sleep 0.5; echo R; sleep 1; printf 'GET /5 HTTP/1.1\\r\\n\\r\\n'; sleep 1 ) | timeout "
          "20 openssl s_client -tls1_2 -connect 127.0.0.1:" +
          at.port());
  EXPECT_THAT(got, HasSubstr("RENEGOTIATING"));
  EXPECT_THAT(got, HasSubstr("Secure Renegotiation IS supported"));  // RFC 5746 is answered
  EXPECT_THAT(got, Not(HasSubstr(answered)));
}

TEST(Interop, CurlTrustsTheSelfSignedCertificate) {
  const scratch files;
  const std::vector<std::string> names = {"localhost"};
  const std::vector<std::string> addresses = {"127.0.0.1", "::1"};
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  const auto pair = make_self_signed(names, addresses, now, std::chrono::hours(24 * 365));
  ASSERT_TRUE(pair);
  const std::string authority = files.file("cert.pem", pair->chain_pem);
  const std::string key = files.file("key.pem", std::string(pair->key_pem.view()));
  EXPECT_THAT(
      run("openssl verify -x509_strict -purpose sslserver -CAfile " + authority + " " + authority),
      HasSubstr(": OK"));
  for (const std::string check : {"-checkhost localhost", "-checkip 127.0.0.1", "-checkip ::1"}) {
    EXPECT_THAT(run("openssl x509 -noout " + check + " -in " + authority), HasSubstr("does match"));
  }
  EXPECT_THAT(run("openssl pkey -noout -check -in " + key), HasSubstr("Key is valid"));

  auto loaded = certificate::load(pair->chain_pem, pair->key_pem);
  ASSERT_TRUE(loaded);
  web_server at(context_of({std::make_shared<const certificate>(std::move(*loaded))},
                           {.protocols = {"http/1.1"}}));
  const std::string curl = "curl -sS --max-time 20 --cacert " + authority + " ";
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    EXPECT_EQ(run(curl + "--ipv4 https://" + host + ":" + at.port() + "/5"), answered);
    EXPECT_EQ(at.last().protocol, "http/1.1");
  }
  EXPECT_EQ(run(curl + "--tls-max 1.2 https://127.0.0.1:" + at.port() + "/5"), answered);
  EXPECT_THAT(run("curl -sS --max-time 20 https://127.0.0.1:" + at.port() + "/5"),
              HasSubstr("self"));
}

TEST(Interop, CurlMovesTenMegabytes) {
  const scratch files;
  web_server at(context_of({from_vector("p384")}));
  web_server picky(context_of({from_vector("p384")}), 777);
  const std::string body = files.file("body", std::string(10'000'000, 'b'));
  for (const web_server* each : {&at, &picky}) {
    for (const std::string version : {"--tls-max 1.2", "--tlsv1.3"}) {
      const std::string curl =
          "curl -ksS --max-time 60 " + version + " https://127.0.0.1:" + each->port();
      EXPECT_EQ(run(curl + "/10000000 | wc -c"), "10000000\n");
      EXPECT_EQ(run(curl + "/ -H Expect: --data-binary @" + body), "10000000 bytes came");
    }
  }
}

}  // namespace
}  // namespace rw::tls
