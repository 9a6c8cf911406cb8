# सहमति
consent-title = पहुँच की अनुमति दें?
consent-heading = { $app } को { $site } तक पहुँच चाहिए
described-at = यह ऐप्लिकेशन यहाँ पंजीकृत नहीं है। यह { $place } से आया है।
signed-in-as = साइन इन किया हुआ खाता:
consent-list = अनुमति देने पर यह ऐप्लिकेशन ये काम कर सकेगा:
consent-ticks = इसके अलावा यह जो कर सकता है, उस पर निशान लगाएँ:
consent-agent = यह एक स्वचालित एजेंट है: यह अपने आप काम करता है, और इसके हर कदम को कोई नहीं देखता।
consent-registered = इस ऐप्लिकेशन ने अपना पंजीकरण स्वयं किया है। इसके नाम की जाँच किसी ने नहीं की है।
allow = अनुमति दें
deny = मना करें
switch-user = किसी और खाते से साइन इन करें
goes-to = आपको वापस { $place } पर भेजा जाएगा।

# फिर से साइन इन
again-title = फिर से साइन इन करें
again-why = आगे बढ़ने से पहले { $app } आपसे फिर से साइन इन करने को कहता है।
again-button = फिर से साइन इन करें
cancel = रद्द करें

# साइन इन
login-title = { $site } में साइन इन करें
login-why = { $app } आपसे साइन इन करने को कहता है।
login-user = ईमेल पता या उपयोगकर्ता नाम
login-password = पासवर्ड
login-button = साइन इन करें
login-elsewhere = साइन इन करने के दूसरे तरीके, या पासवर्ड भूल गए
login-wrong = उपयोगकर्ता नाम या पासवर्ड गलत है।
login-too-many =
    { $count ->
        [one] बहुत बार गलत कोशिश हुई। एक मिनट बाद फिर से कोशिश करें।
       *[other] बहुत बार गलत कोशिश हुई। { $count } मिनट बाद फिर से कोशिश करें।
    }
login-unavailable = इस समय साइन इन नहीं हो सकता। कुछ मिनट बाद फिर से कोशिश करें।

# साइन आउट
logout-title = { $site } से साइन आउट करें?
logout-why = { $app } आपसे साइन आउट करने को कहता है।
logout-button = साइन आउट करें
logout-stay = साइन इन रहें
logged-out-title = आप साइन आउट हो चुके हैं
logged-out-text = अब आप यह पेज बंद कर सकते हैं।
stayed-title = आप अब भी साइन इन हैं
stayed-text = कुछ नहीं बदला। अब आप यह पेज बंद कर सकते हैं।

# गड़बड़ियाँ
error-title = यह अनुरोध आगे नहीं बढ़ सकता
error-text = ऐप्लिकेशन ने ऐसा अनुरोध भेजा जिसका जवाब नहीं दिया जा सकता। ऐप्लिकेशन पर वापस जाकर फिर से कोशिश करें; अगर ऐसा दोबारा हो, तो उसे चलाने वालों को बताएँ।
error-details = उनके लिए:

# ऐप्लिकेशन पर वापसी
continue-title = आगे बढ़ें
continue-button = ऐप्लिकेशन पर आगे बढ़ें

# अनुमतियों का मतलब
scope-all = { $site } पर वह सब करना जो आप कर सकते हैं
scope-erp-read = { $site } पर वह सब देखना जो आप देख सकते हैं
scope-erp-write = { $site } पर, जहाँ तक आपको अनुमति है, रिकॉर्ड बनाना, बदलना और हटाना
scope-openid = आपका नाम, ईमेल पता, तस्वीर और भूमिकाएँ देखना
scope-identity = आपको पहचानना
scope-profile = आपका नाम, आपकी तस्वीर और आपकी प्रोफ़ाइल की अन्य जानकारी (जैसे लिंग, जन्म तिथि, भाषा और समय क्षेत्र) देखना
scope-email = आपका ईमेल पता देखना
scope-phone = आपका फ़ोन नंबर देखना
scope-address = आपका डाक पता देखना
scope-roles = आपकी भूमिकाएँ देखना
scope-offline = आपके साइन इन न होने पर भी पहुँच बनाए रखना
scope-other = आपकी ओर से “{ $scope }” अनुमति का उपयोग करना
documents = { $doctype } { $actions }
all-documents = हर तरह के दस्तावेज़
call = { $method } मेथड चलाना
read = पढ़ना
create = बनाना
change = बदलना
delete = हटाना

# सूचियाँ
list-next = { $first }, { $second }
list-last = { $first } और { $second }
phrases = { $first }; { $second }
# Connected applications
apps-title = जुड़े हुए ऐप्लिकेशन
apps-intro = ये ऐप्लिकेशन आपकी ओर से { $site } का उपयोग कर सकते हैं:
apps-none = कोई भी ऐप्लिकेशन आपकी ओर से { $site } का उपयोग नहीं कर सकता।
apps-since = { $date } से पहुँच है
apps-used = पिछला उपयोग: { $date }
apps-unused = हाल में उपयोग नहीं हुआ
apps-only-consent = अभी इसकी पहुँच नहीं है; आपसे पूछे बिना इसे फिर मिल जाएगी।
apps-end = { $app } की पहुँच समाप्त करें
apps-hidden =
    { $count ->
        [one] { $count } और नहीं दिखाया गया है।
       *[other] { $count } और नहीं दिखाए गए हैं।
    }

# डिवाइस
device-title = डिवाइस जोड़ें
device-intro = वह कोड दर्ज करें जो डिवाइस या प्रोग्राम आपको दिखाता है।
device-code = कोड
device-button = जारी रखें
device-wrong = यह कोड गलत है या इसकी समय-सीमा समाप्त हो गई है। डिवाइस पर फिर से देखें।
device-check = अनुमति तभी दें जब इसे आपने स्वयं शुरू किया हो और आपका डिवाइस यह कोड दिखाता हो:
device-allowed-title = डिवाइस को पहुँच मिल गई
device-allowed-text = डिवाइस पर वापस जाएँ: वह अपने आप आगे बढ़ेगा। अब आप यह पृष्ठ बंद कर सकते हैं।
device-denied-title = डिवाइस को पहुँच नहीं मिली
device-denied-text = डिवाइस को कुछ नहीं दिया गया। अब आप यह पृष्ठ बंद कर सकते हैं।
