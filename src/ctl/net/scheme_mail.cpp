#include <stdlib.h>

#include "ctl/net/net_schemes.h"
#include "ctl/schemes.h"
#include "fs/mail/imap_client.h"
#include "fs/mail/mail_fs.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kMailOptions[] = {
    {"ro", "change nothing"},
    {"trash=FOLDER", "where removed messages go; default: the folder Trash, made if need be"},
    {"password_file=PATH", "IMAP: its first line is the password; default: ~/.netrc, or you are asked"},
    {"tls=require|off", "imap: STARTTLS; default: require"},
    {"cacert=FILE", "certificates that are trusted; default: those of the system"},
    {"insecure", "any certificate will do"},
    {"timeout=SECONDS", "most silence of a server; default 30"},
    {"poll=SECONDS", "between questions for news, where the server does not tell; default 60"},
    {"max_message=BYTES", "most of one message that is fetched; default 1g"},
};

Expected<std::unique_ptr<FileSystem>> make_mail(const Source& source, const SourceHooks& hooks) {
  std::string place = source.path;
  if (place.empty())
    return Problem{err(EINVAL), "source 'mail:' names no mail",
                   "mail:PATH of a Maildir or an mbox, or mail:imaps://USER@HOST/FOLDER"};
  // First: what is wrong with one that holds a password is told without it.
  const bool is_address = fs::mail::imap::is_address(place);
  if (is_address)
    if (auto address = fs::mail::imap::parse_address(place); !address) return address.problem();
  fs::mail::MailOptions options;
  std::string why;
  for (auto& [key, value] : own_options(source))
    if (!fs::mail::set_mail_option(options, key, value, why)) return bad_option(source, why);
  const fs::mail::MailHooks mail_hooks{.password = hooks.passphrase, .cancelled = hooks.cancelled};
  // The server stands in "/" later.
  if (char* real = is_address ? nullptr : realpath(place.c_str(), nullptr)) {
    place = real;
    free(real);
  }
  auto made = fs::mail::MailFs::open(place, options, mail_hooks);
  if (!made) {
    Problem p = made.problem();
    if (!is_address) p.what = "source " + p.what;
    return p;
  }
  return std::unique_ptr<FileSystem>(std::move(*made));
}

}  // namespace

const Scheme kMailScheme{
    kMail,
    false,
    "mail: a Maildir, an mbox (read-only), or imaps://USER@HOST/FOLDER; messages as directories 001, 002, ...",
    kMailOptions,
    make_mail,
    false,
    "PLACE"};

}  // namespace isthmus::ctl
