#include "fs/mail/mime.h"

#include "fs/mail/test_tools.h"

namespace isthmus::fs::mail {
namespace {

using ::testing::ElementsAre;

struct Parsed {
  std::string body;
  std::vector<std::string> names;
  std::map<std::string, std::string> data;
};

Parsed parse(const std::string& text) {
  Parsed p;
  auto made = parse_message(*Blob::of(text));
  EXPECT_TRUE(made);
  if (!made) return p;
  p.body = *made->body->text();
  for (auto& a : made->attachments) {
    p.names.push_back(a.name);
    p.data[a.name] = *a.data->text();
  }
  return p;
}

const std::string kMixed =
    "From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=XX\n\npreamble\n--XX\n"
    "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FC=DFe=\n!\n--XX\n"
    "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''r%C3%BCck.pdf\n"
    "Content-Transfer-Encoding: base64\n\nJVBERi0AAQ==\n--XX\n"
    "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw==\n--XX--\nepilogue\n";

TEST(Mime, TextAndAttachments) {
  const Parsed p = parse(kMixed);
  EXPECT_EQ(p.body,
            "gr\xc3\xbc\xc3\x9f"
            "e!");
  EXPECT_THAT(p.names, ElementsAre("r\xc3\xbc"
                                   "ck.pdf",
                                   "part-3.png"));
  EXPECT_EQ(p.data.at("r\xc3\xbc"
                      "ck.pdf"),
            std::string("%PDF-\0\1", 7));
  EXPECT_EQ(p.data.at("part-3.png"), "\x89PNG");
}

TEST(Mime, Plain) {
  EXPECT_EQ(parse("Subject: x\n\nline\r\nline\n").body, "line\nline\n");
  EXPECT_EQ(parse("Subject: x\n\n").body, "");
  EXPECT_EQ(parse("").body, "");
  EXPECT_EQ(parse("Content-Type: text/html\n\n<p>x</p>\n").body, "<p>x</p>\n");
  EXPECT_EQ(parse("Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n/v8AYQBi\n").body,
            "ab");
}

TEST(Mime, Alternatives) {
  const Parsed p = parse(
      "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain\n--b\n"
      "Content-Type: text/html\n\n<b>html</b>\n--b--\n");
  EXPECT_EQ(p.body, "plain");
  EXPECT_THAT(p.names, ElementsAre("message.html"));
  const Parsed q = parse(
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\none\n--b\n"
      "Content-Type: text/plain\n\ntwo\n--b\nContent-Type: text/plain; name=n.txt\nContent-Disposition: attachment\n\n"
      "three\n--b--\n");
  EXPECT_EQ(q.body, "one\ntwo");
  EXPECT_THAT(q.names, ElementsAre("n.txt"));
}

TEST(Mime, MessagesInMessages) {
  const std::string inner = "Subject: inner\nX-Odd:  spaces \n\ninner text\n";
  const Parsed p =
      parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nouter\n--b\nContent-Type: message/rfc822\n\n" + inner +
            "--b--\n");
  EXPECT_EQ(p.body, "outer");
  EXPECT_THAT(p.names, ElementsAre("message.eml"));
  EXPECT_THAT(p.data.at("message.eml"), ::testing::HasSubstr("X-Odd:  spaces"));
  EXPECT_THAT(p.data.at("message.eml"), ::testing::HasSubstr("inner text"));
}

TEST(Mime, NamesAreSafe) {
  std::string text = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (const char* name : {"../../etc/passwd", "C:\\\\x\\\\y.doc", "..", ".", ".bashrc", "a.txt", "A.txt", "tab\there",
                           "=?utf-8?q?q=2Fr=00=0A.txt?="})
    text += std::string("--b\nContent-Type: application/octet-stream; name=\"") + name + "\"\n\nx\n";
  const Parsed p = parse(text + "--b--\n");
  ASSERT_EQ(p.names.size(), 9u);
  for (auto& name : p.names) {
    EXPECT_EQ(name.find_first_of(std::string_view("/\\\0\n\t", 5)), name.npos) << name;
    EXPECT_NE(name[0], '.') << name;
  }
  EXPECT_EQ(p.names[0], "passwd");
  EXPECT_EQ(p.names[1], "y.doc");
  EXPECT_EQ(p.names[6], "A~2.txt");
}

TEST(Mime, BrokenMessages) {
  EXPECT_EQ(parse("Content-Type: multipart/mixed; boundary=b\n\nno part at all\n").names.size(), 0u);
  EXPECT_EQ(parse("Content-Type: multipart/mixed\n\n--x\n\nno boundary is named\n--x--\n").names.size(), 0u);
  // Cut off in the middle.
  for (size_t n = 0; n < kMixed.size(); n += 7) (void)parse(kMixed.substr(0, n));
  EXPECT_EQ(parse("Content-Transfer-Encoding: base64\n\nYWJj!!!!ZGVm\nZw\n").body.substr(0, 3), "abc");
  EXPECT_EQ(parse("Content-Type: text/plain; charset=\"../../x\"\n\nfine \xff\n").body, "fine \xef\xbf\xbd\n");
  (void)parse(std::string(100'000, '\0'));
  (void)parse("Content-Type: " + std::string(500'000, 'x') + "\n\nbody\n");
}

TEST(Mime, DeepMessages) {
  std::string text;
  constexpr int kDeep = 9000;
  for (int i = 0; i < kDeep; i++) {
    const std::string b = std::to_string(i);
    text += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  (void)parse(text + "\nbottom\n");
  text.clear();
  for (int i = 0; i < kDeep; i++) text += "Content-Type: message/rfc822\n\n";
  (void)parse(text + "\nbottom\n");
}

TEST(Mime, ManyParts) {
  std::string text = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 6000; i++) text += "--b\nContent-Disposition: attachment\n\nx\n";
  EXPECT_EQ(parse(text).names.size(), 5000u);
  for (int i = 0; i < 15'000; i++) text += "--b\n\n";
  const Parsed p = parse(text);
  EXPECT_EQ(p.names.size(), 0u) << "shown as text";
  EXPECT_TRUE(p.body.starts_with("--b\nContent-Disposition")) << p.body.substr(0, 50);
}

TEST(Mime, LargeOnesGoThroughFiles) {
  std::string line(70, 'A'), encoded;
  for (int i = 0; i < 200'000; i++) encoded += line + "\n";
  const std::string text =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: application/zip; "
      "name=z.zip\nContent-Transfer-Encoding: base64\n\n" +
      encoded + "--b--\n";
  BlobWriter w;
  ASSERT_TRUE(w.append(text));
  auto blob = w.finish();
  ASSERT_TRUE(blob);
  EXPECT_GE((*blob)->fd(), 0) << "it is in a file";
  auto made = parse_message(**blob);
  ASSERT_TRUE(made);
  EXPECT_EQ(*made->body->text(), "hello");
  ASSERT_EQ(made->attachments.size(), 1u);
  EXPECT_EQ(made->attachments[0].data->size(), 200'000u * 70 / 4 * 3);
  EXPECT_GE(made->attachments[0].data->fd(), 0);
  EXPECT_EQ(*(*blob)->text(), text) << "nothing moved the file's own place";
}

TEST(Mime, ManyAttachmentsTakeOneFile) {
  std::string text = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 300; i++)
    text += "--b\nContent-Type: application/x\n\n" + std::string(60'000, static_cast<char>('a' + i % 26)) + "\n";
  auto made = parse_message(*Blob::of(text + "--b--\n"));
  ASSERT_TRUE(made);
  ASSERT_EQ(made->attachments.size(), 300u);
  std::set<int> files;
  size_t in_memory = 0;
  for (size_t i = 0; i < 300; i++) {
    const Blob& data = *made->attachments[i].data;
    EXPECT_EQ(*data.text(), std::string(60'000, static_cast<char>('a' + i % 26)));
    if (data.fd() >= 0) files.insert(data.fd());
    in_memory += data.weight();
  }
  EXPECT_EQ(files.size(), 1u);
  EXPECT_LT(in_memory, 6u << 20);
}

}  // namespace
}  // namespace isthmus::fs::mail
