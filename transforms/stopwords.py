"""The function words of several languages, by which a language is recognised, in lower case.

Every sentence of a language has such words: articles, prepositions, pronouns and forms of
`to be`, as any grammar lists them. Words that spell an English noun (Dutch `van`, Spanish `hay`)
are left out.
"""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ENGLISH = _words(
    """a an and are as at be been behind between both but by for from has have in inside into is it
    its near no not of on one or other out over that the their there these this to two under up
    was were which while who with"""
)

OTHERS = {
    "French": _words(
        """au aux avec ce cette dans de derrière des devant du elle en est et il la le les leur mais
        ou par pas qui sa se ses sont sous sur un une"""
    ),
    "German": _words(
        """auf aus bei das dem den der des die ein eine einem einen einer es für hinter im ist mit
        neben nicht sich sie sind steht über und unter von vor wird zu zum zur"""
    ),
    "Spanish": _words(
        """al con de del detrás el ella en es esta está este la las lo los más muestra para pero
        por que se sobre su sus un una unos y"""
    ),
    "Portuguese": _words(
        """ao as até com da das de do dos e ela ele em está há mais mas mostra na nas no nos o os
        para pela pelo por que são se sobre sua um uma"""
    ),
    "Italian": _words(
        """al alla che con da dal dalla degli dei del della delle di dietro e gli ha i il in la le
        lo ma nel nella non più si sono su sul sulla un una uno è"""
    ),
    "Dutch": _words(
        """aan achter bij dat de deze die een en er haar het hij in is maar naar naast niet om
        onder op over te tegen uit voor wordt zijn"""
    ),
    "Polish": _words(
        """do i jego jej jest na nad nie o od oraz po przed przez przy się są to w z za ze znajduje
        że"""
    ),
    "Swedish, Danish or Norwegian": _words(
        """af av bakom bakgrund bilden det eller en er ett et finns foran för har ikke inte med mot
        och og på som står til under ved vid viser är"""
    ),
    "Turkish": _words(
        """ama arka bir bu çok da daha de gibi görünüyor için ile olan olarak renkli üzerinde var ve
        yer"""
    ),
    "Indonesian or Malay": _words(
        """ada adalah dalam dari dengan di gambar ini itu ke oleh pada sebuah seekor seorang tidak
        untuk warna yang"""
    ),
    "Vietnamese": _words(
        """bên các có của được hình là màu một này người những ở phía trên trong và với"""
    ),
    "Czech or Slovak": _words(
        """a do jako je jsou k ktorý které má na nebo o od po pri před sa se so v ve z za že"""
    ),
    "Romanian": _words(
        """al are cu de din este fi în într la nu o pe pentru prin sau și sunt un unei unui"""
    ),
    "Hungarian": _words("""a az de egy egyik és ez hogy képen látható nem vannak vagy"""),
}
